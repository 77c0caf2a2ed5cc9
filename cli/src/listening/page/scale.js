// The one axis of an APE-style page: a handle per mix, all on the same scale, so that listeners compare instead of grade.
//
// Handles wait below the axis until they are rated. On the axis they stand on pins; pins that come close are stacked.

const HANDLE_PIXELS = 44;
const GAP_PIXELS = 6;
const AXIS_MARGIN_PIXELS = 26;
const KEY_STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

const letterOf = (index) => String.fromCharCode(65 + index);

/** `onSelect(index)` when a mix is to be heard, `onRate(index, value)` when it is moved. `values` may hold null. */
function createScale({ attribute, values, onSelect, onRate }) {
  const axis = element("div", { class: "axis", "aria-hidden": "true" });
  const ends = element("div", { class: "ends", "aria-hidden": "true" }, element("span", {}, attribute.low), element("span", {}, attribute.high));
  const tray = element("p", { class: "tray" }, "Drag each mix onto the line");
  const handles = values.map((_, index) => makeHandle(index));
  const area = element("div", { class: "scale", role: "group", "aria-label": attribute.name }, axis, ends, tray, handles.map(({ pin, handle }) => [pin, handle]));
  let selected = -1;
  let dragged = -1;

  function makeHandle(index) {
    const pin = element("div", { class: "pin", "aria-hidden": "true" });
    const handle = element("div", {
      class: "handle", role: "slider", tabIndex: 0, "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal",
      "data-mix": index, onkeydown: (event) => pressKey(index, event), onfocus: () => handle.classList.toggle("focused", handle.matches(":focus-visible")),
    }, letterOf(index));
    let press = null;
    trackPointer(handle, {
      down(event) {
        press = { x: event.clientX, y: event.clientY, moved: false };
        onSelect(index);
      },
      move(event) {
        if (!press.moved && Math.hypot(event.clientX - press.x, event.clientY - press.y) < DRAG_PIXELS) return;
        press.moved = true;
        dragged = index;
        rate(index, valueAt(event));
      },
      up() {
        dragged = -1;
        layOut();
      },
    });
    return { pin, handle };
  }

  const axisBox = () => {
    const width = area.clientWidth;
    return { left: AXIS_MARGIN_PIXELS, width: Math.max(1, width - 2 * AXIS_MARGIN_PIXELS), whole: width };
  };

  function valueAt(event) {
    const { left, width } = axisBox();
    return ((event.clientX - area.getBoundingClientRect().left - left) / width) * 100;
  }

  function rate(index, value) {
    values[index] = Math.round(clamp(value, 0, 100) * 10) / 10;
    onRate(index, values[index]);
    layOut();
  }

  function pressKey(index, event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const value = values[index] ?? 50;
    const step = KEY_STEPS[event.key];
    if (step !== undefined) rate(index, values[index] === null ? value : value + step * (event.shiftKey ? 5 : 1));
    else if (event.key === "Home") rate(index, 0);
    else if (event.key === "End") rate(index, 100);
    else if (event.key === "Enter" || event.key === " ") onSelect(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // A press on the axis moves what is being heard: the easiest way with a thumb.
  area.addEventListener("click", (event) => {
    if (event.target !== axis || selected < 0) return;
    rate(selected, valueAt(event));
  });

  /** The lowest free row for each rated handle, in order of value; the dragged one stays in the lowest. */
  function rows(width) {
    const occupied = [];
    const rowOf = new Map();
    const rated = values.map((value, index) => ({ value, index })).filter(({ value }) => value !== null);
    rated.sort((a, b) => (b.index === dragged) - (a.index === dragged) || a.value - b.value || a.index - b.index);
    for (const { value, index } of rated) {
      const x = (value / 100) * width;
      const isFree = (row) => (occupied[row] ?? []).every((other) => Math.abs(other - x) >= HANDLE_PIXELS + GAP_PIXELS);
      let row = 0;
      while (!isFree(row)) row += 1;
      (occupied[row] ??= []).push(x);
      rowOf.set(index, row);
    }
    return { rowOf, count: Math.max(2, occupied.length) };
  }

  function layOut() {
    const { left, width, whole } = axisBox();
    const pitch = HANDLE_PIXELS + GAP_PIXELS;
    const { rowOf, count } = rows(width);
    const axisY = count * pitch + 26;
    const waiting = values.map((_, index) => index).filter((index) => values[index] === null);
    const perRow = Math.max(1, Math.floor((whole + GAP_PIXELS) / pitch));
    const trayY = axisY + 76;
    tray.hidden = waiting.length === 0;
    tray.style.top = `${trayY - 24}px`;
    axis.style.top = `${axisY - 22}px`;
    axis.style.left = `${left}px`;
    axis.style.width = `${width}px`;
    ends.style.top = `${axisY + 14}px`;
    area.style.height = `${trayY + (waiting.length ? Math.ceil(waiting.length / perRow) * pitch : -34)}px`;
    handles.forEach(({ pin, handle }, index) => {
      const value = values[index];
      const isRated = value !== null;
      const place = waiting.indexOf(index);
      const inRow = Math.min(perRow, waiting.length - Math.floor(place / perRow) * perRow);
      const x = isRated ? left + (value / 100) * width : whole / 2 + ((place % perRow) - (inRow - 1) / 2) * pitch;
      const y = isRated ? axisY - 20 - (rowOf.get(index) + 1) * pitch + GAP_PIXELS : trayY + Math.floor(place / perRow) * pitch;
      handle.style.transform = `translate(${x - HANDLE_PIXELS / 2}px, ${y}px)`;
      pin.hidden = !isRated;
      pin.style.transform = `translate(${x}px, ${y + HANDLE_PIXELS}px)`;
      pin.style.height = `${axisY - y - HANDLE_PIXELS}px`;
      for (const part of [handle, pin]) {
        part.classList.toggle("rated", isRated);
        part.classList.toggle("selected", index === selected);
        part.classList.toggle("dragged", index === dragged);
      }
      handle.setAttribute("aria-label", `Mix ${letterOf(index)}${index === selected ? ", playing" : ""}`);
      handle.setAttribute("aria-valuenow", value ?? 50);
      handle.setAttribute("aria-valuetext", isRated ? `${Math.round(value)} of 100` : "not rated yet");
    });
  }

  new ResizeObserver(layOut).observe(area);
  return {
    node: area,
    focus(index) { handles[index].handle.focus(); },
    select(index) { selected = index; layOut(); },
  };
}
