// Code 128, set B, drawn here: labels are printed while the service is away, too. Tests read them with a scanner's library.

// ISO/IEC 15417, table 1: the widths of bars and spaces by value, and of the stop.
const WIDTHS = (
  "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 123122 123221 " +
  "223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 " +
  "112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113 213311 213131 " +
  "311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 " +
  "122411 142112 142211 241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 " +
  "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 211232"
).split(" ");
const START_B = 104;
const STOP = "2331112";
const QUIET = 10; // modules on either side
const FIRST = 32; // of the characters of set B, space
const LAST = 126;
const HEIGHT = 60;
const SVG = "http://www.w3.org/2000/svg";

// The widths of a text's bars and spaces in modules, beginning with a bar; null for a text that has no bars.
export function modules(text) {
  const values = [...text].map((each) => each.charCodeAt(0) - FIRST);
  if (!values.length || values.some((value) => value < 0 || value > LAST - FIRST)) return null;
  const check = values.reduce((sum, value, index) => sum + value * (index + 1), START_B) % 103;
  return [START_B, ...values, check].map((value) => WIDTHS[value]).join("") + STOP;
}

// An SVG element as wide as its place; null for a text that has no bars.
export function bars(text) {
  const widths = modules(text);
  if (widths === null) return null;
  let at = QUIET;
  let path = "";
  [...widths].forEach((width, index) => {
    if (index % 2 === 0) path += `M${at} 0h${width}v${HEIGHT}h-${width}z`;
    at += Number(width);
  });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${at + QUIET} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("shape-rendering", "crispEdges");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  drawn.setAttribute("fill", "#000");
  svg.append(drawn);
  return svg;
}
