// Shows and hides a mix in all pictures, and lets one player at a time sound, each taking over where the last one was.
"use strict";
for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    for (const line of document.querySelectorAll("polyline." + button.dataset.system)) {
      line.style.display = shown ? "" : "none";
    }
  });
}
for (const group of document.querySelectorAll(".players")) {
  const players = [...group.querySelectorAll("audio")];
  for (const player of players) {
    player.addEventListener("play", () => {
      const other = players.find((one) => one !== player && !one.paused);
      if (other) {
        player.currentTime = other.currentTime;
        other.pause();
      }
    });
  }
}
