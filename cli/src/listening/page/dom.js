// Makes elements. Texts of the test are only ever set as text, so that no name can become markup.

/**
 * An element with properties and children. `on…` properties are listeners, `class` and names with a hyphen are
 * attributes, `hidden`, `disabled`, `value`, … are properties.
 */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "role" || name === "for" || name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Paragraphs of plain text: empty lines part them. */
function paragraphs(text) {
  return text.split(/\n\s*\n/).filter((part) => part.trim()).map((part) => element("p", {}, part.trim()));
}

/** Follows a pointer from its press to its release, also outside of the element. */
function trackPointer(target, { down, move, up }) {
  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || down(event) === false) return;
    target.setPointerCapture(event.pointerId);
    const moved = (later) => later.pointerId === event.pointerId && move?.(later);
    const ended = (later) => {
      if (later.pointerId !== event.pointerId) return;
      target.removeEventListener("pointermove", moved);
      target.removeEventListener("pointerup", ended);
      target.removeEventListener("pointercancel", ended);
      up?.(later);
    };
    target.addEventListener("pointermove", moved);
    target.addEventListener("pointerup", ended);
    target.addEventListener("pointercancel", ended);
  });
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Seconds as 0:07. */
function clock(seconds) {
  const whole = Math.floor(Math.max(0, seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
