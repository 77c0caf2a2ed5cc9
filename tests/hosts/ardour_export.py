"""Mix a song through the built VST3 in Ardour, without a window, by four tracks and four sidechains, and export it.

Ardour runs with a home of its own. Its export without a window does not make up for the latency of plug-ins: the mix
comes late by it, and so the session is longer than the song. Writes a 32-bit float WAV.

usage: ardour_export.py ARDOUR_FOLDER PLUGIN.vst3 STEMS OUT.wav
"""

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import soundfile
from stems import RATE_HZ, STEMS, read_stems

NAME = "song"
# Ardour 7 counts time in ticks of its own, so many a second.
TICKS_PER_S = 282_240_000
# How much longer than the song the session is: no mode of Tributary is later than this.
TAIL_FRAMES = 3 * RATE_HZ
# Longest that one of Ardour's programs may take.
LIMIT_S = 300


def environment(ardour: Path, home: Path) -> dict[str, str]:
    """Return the variables that Ardour's programs need to run outside their start script."""
    own = {
        "HOME": str(home),
        "LD_LIBRARY_PATH": str(ardour),
        "ARDOUR_DLL_PATH": str(ardour),
        "ARDOUR_DATA_PATH": f"/usr/share/{ardour.name}",
        "ARDOUR_CONFIG_PATH": f"/etc/{ardour.name}",
    }
    return {key: value for key, value in os.environ.items() if not key.startswith("XDG_")} | own


def run(command: list[str | Path], variables: dict[str, str]) -> None:
    """Run one of Ardour's programs; end with its last words when it fails."""
    quiet = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False}
    try:
        done = subprocess.run(command, env=variables, timeout=LIMIT_S, **quiet)
    except subprocess.TimeoutExpired:
        sys.exit(f"error: {Path(command[0]).name} did not end within {LIMIT_S} s")
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-8:]
        sys.exit("\n".join([*said, f"error: {Path(command[0]).name} ended with {done.returncode}"]))


class SessionFile:
    """A saved session's document, to which audio is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / f"{NAME}.ardour"
        self.tree = ElementTree.parse(self.path)
        self.root = self.tree.getroot()
        self.next_id = int(self.root.get("id-counter", "0"))

    def new_id(self) -> str:
        """Return an identifier that nothing in the session has."""
        self.next_id += 1
        return str(self.next_id)

    def add_audio(self, stem: str, audio: np.ndarray) -> None:
        """Write a stem into the session's audio folder and put it at the start of the track of its name."""
        file = self.folder / "interchange" / NAME / "audiofiles" / f"{stem}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, audio, RATE_HZ, subtype="FLOAT")
        sources = []
        for channel in range(2):
            sources.append(self.new_id())
            described = {"name": file.name, "origin": file.name, "type": "audio", "flags": "", "take-id": ""}
            described |= {"id": sources[-1], "channel": str(channel), "gain": "1"}
            ElementTree.SubElement(self.root.find("Sources"), "Source", described)
        [track] = [route for route in self.root.find("Routes") if route.get("name") == stem]
        playlists = [*self.root.find("Playlists"), *(self.root.find("UnusedPlaylists") or [])]
        [playlist] = [one for one in playlists if one.get("id") == track.get("audio-playlist")]
        ElementTree.SubElement(playlist, "Region", self.region(stem, sources, len(audio)))

    def region(self, stem: str, sources: list[str], frames: int) -> dict[str, str]:
        """Return the attributes of a region that plays whole sources from the start, without fades."""
        off = "muted locked video-locked automatic whole-file sync-marked left-of-split right-of-split hidden"
        off += " position-locked valid-transients envelope-active"
        off += " default-fade-in default-fade-out fade-in-active fade-out-active"
        on = "opaque import external stretch shift scale-amplitude"
        length = ticks(frames)
        region = dict.fromkeys(off.split(), "0") | dict.fromkeys(on.split(), "1")
        region |= {"id": self.new_id(), "name": stem, "type": "audio", "channels": "2", "layering-index": "0"}
        region |= {"start": "a0", "length": f"{length}@a0", "sync-position": "a0"}
        region |= {"ancestral-start": "a0", "ancestral-length": f"{length}@a0"}
        for channel, source in enumerate(sources):
            region |= {f"source-{channel}": source, f"master-source-{channel}": source}
        return region

    def finish(self, frames: int) -> None:
        """Set the range that is exported, and save."""
        described = {"id": self.new_id(), "name": "session", "start": "a0", "end": ticks(frames)}
        described |= {"flags": "IsSessionRange", "locked": "0", "timestamp": "0", "cue": "0"}
        ElementTree.SubElement(self.root.find("Locations"), "Location", described)
        self.root.set("session-range-is-free", "0")
        self.root.set("id-counter", str(self.next_id + 1))
        self.tree.write(self.path, encoding="UTF-8", xml_declaration=True)


def ticks(frames: int) -> str:
    """Return a length in Ardour's own words."""
    return f"a{frames * (TICKS_PER_S // RATE_HZ)}"


def export(ardour: Path, plugin: Path, stems: dict[str, np.ndarray], scratch: Path) -> np.ndarray:
    """Build the session, export it and return what came out, (frames, 2)."""
    # Ardour calls the folder of audio by that of the session, which so has the session's name.
    home, session = scratch / "home", scratch / NAME
    bundle = home / ".vst3" / plugin.name
    bundle.parent.mkdir(parents=True)
    bundle.symlink_to(plugin.resolve())
    variables = environment(ardour, home)
    run([ardour / "ardour-vst3-scanner", "-q", "-f", bundle], variables)
    script = Path(__file__).with_name("ardour_session.lua")
    run([ardour / "luasession", script, session, NAME, plugin.stem, *STEMS], variables)
    document = SessionFile(session)
    frames = max(len(audio) for audio in stems.values())
    for stem, audio in stems.items():
        document.add_audio(stem, audio)
    document.finish(frames + TAIL_FRAMES)
    exported = scratch / "exported.wav"
    exporter = shutil.which(f"{ardour.name}-export")
    if exporter is None:
        sys.exit(f"error: there is no {ardour.name}-export on PATH")
    run([exporter, "-b", "float", "-o", exported, session, NAME], variables)
    return soundfile.read(exported, always_2d=True, dtype="float32")[0]


def main() -> None:
    """Export a song and write it, or say in a sentence why not."""
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    ardour, plugin, folder = (Path(argument) for argument in sys.argv[1:4])
    stems = read_stems(folder)
    with tempfile.TemporaryDirectory(prefix="tributary-ardour-") as scratch:
        mix = export(ardour, plugin, stems, Path(scratch))
    if not np.isfinite(mix).all() or np.abs(mix).max() == 0.0:
        sys.exit("error: what Ardour exported is silent or not finite")
    soundfile.write(sys.argv[4], mix, RATE_HZ, subtype="FLOAT")


if __name__ == "__main__":
    main()
