// The camera as a scanner, where the browser can read codes. What is held before it is read once, until it is taken away.

const FORMATS = ["code_128", "qr_code", "data_matrix", "ean_13", "itf", "code_39", "pdf417"];
const LOOK_MS = 150;
const AGAIN_MS = 2500;

export async function startCamera(button, view, scanned) {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return;
  const known = await BarcodeDetector.getSupportedFormats();
  const formats = FORMATS.filter((format) => known.includes(format));
  if (!formats.length) return;
  const detector = new BarcodeDetector({ formats });
  let stream = null;
  let last = { text: "", at: 0 };
  button.hidden = false;

  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    view.hidden = true;
    button.ariaPressed = "false";
  };
  const look = async () => {
    if (!stream) return;
    const [code] = await detector.detect(view).catch(() => []);
    const now = Date.now();
    if (code) {
      if (code.rawValue !== last.text || now - last.at > AGAIN_MS) scanned(code.rawValue);
      last = { text: code.rawValue, at: now };
    }
    setTimeout(look, LOOK_MS);
  };
  button.ariaPressed = "false";
  button.addEventListener("click", async () => {
    if (stream) {
      stop();
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      return; // nobody allowed it, or there is none
    }
    view.srcObject = stream;
    view.hidden = false;
    button.ariaPressed = "true";
    view.play().catch(() => {}); // until there is a picture, nothing is read from it
    look();
  });
}
