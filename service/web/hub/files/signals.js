// Says what a scan came to so that it is understood from three metres away, or with closed eyes: a colour that fills the
// screen, a sound of its own for each, and a voice for what is refused.

// Frequency in hertz, seconds, and the form of the wave: pairs that differ in rhythm and height, not in loudness.
const SOUNDS = {
  good: [[988, 0.1, "sine"]],
  kept: [[784, 0.08, "sine"], [0, 0.05, "sine"], [784, 0.08, "sine"]],
  look: [[587, 0.16, "triangle"], [440, 0.22, "triangle"]],
  stop: [[165, 0.25, "sawtooth"], [0, 0.08, "sine"], [165, 0.45, "sawtooth"]],
};
const LOUD = 0.25;

let audio;

// A browser makes no sound before somebody has touched a key or the screen; scanners touch keys.
export function unlock() {
  if (!("AudioContext" in window)) return;
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume();
}

function sound(signal) {
  if (!audio) return;
  let at = audio.currentTime;
  for (const [frequency, seconds, type] of SOUNDS[signal]) {
    if (frequency) {
      const tone = new OscillatorNode(audio, { frequency, type });
      const gain = new GainNode(audio, { gain: LOUD });
      gain.gain.setTargetAtTime(0, at + seconds - 0.02, 0.01); // no click at its end
      tone.connect(gain).connect(audio.destination);
      tone.start(at);
      tone.stop(at + seconds + 0.05);
    }
    at += seconds;
  }
}

function speak(text) {
  if (!("speechSynthesis" in window)) return;
  speechSynthesis.cancel(); // the last scan is what counts
  const said = new SpeechSynthesisUtterance(text);
  said.lang = document.documentElement.lang;
  speechSynthesis.speak(said);
}

// Nothing was scanned yet.
export function ready(title) {
  document.getElementById("said").textContent = title;
}

// `number` is what was scanned; `more` are lines of detail.
export function show(signal, title, number = "", more = []) {
  const panel = document.getElementById("signal");
  document.body.dataset.signal = signal;
  panel.dataset.count = Number(panel.dataset.count ?? 0) + 1;
  document.getElementById("said").textContent = title;
  document.getElementById("number").textContent = number;
  document.getElementById("more").replaceChildren(
    ...more.filter(Boolean).map((line) => Object.assign(document.createElement("p"), { textContent: line })),
  );
  sound(signal);
  if (signal === "stop") speak(title);
}
