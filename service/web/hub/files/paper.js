// What is printed: a label of 105 by 148 mm, which a browser sends to the station's printer; and a sheet of commands to scan.

import { bars } from "./code128.js";
import { $, el, number as bdi, t } from "./words.js";

const COMMANDS = [
  ["receive", "mode.receive"], ["process", "mode.process"], ["consolidate", "mode.consolidate"], ["undo", "hub.undo"],
  ["all", "process.all"], ["done", "process.done"], ["reject", "process.reject"],
  ["make", "connote.make"], ["close", "connote.close"], ["export", "connote.export"],
];

export function printLabel({ title, number, lines }) {
  const code = bars(number) ?? "";
  const text = lines.map((line) => el("p", {}, line));
  print([el("article", { className: "label" }, el("h2", {}, title), code, el("p", { className: "number" }, bdi(number)), ...text)]);
}

export function printCommands() {
  const command = ([name, words]) => el("article", { className: "command" }, el("h2", {}, t(words)), bars(`hub:${name}`));
  print([el("h1", {}, t("paper.commands")), ...COMMANDS.map(command)]);
}

function print(content) {
  $("print").replaceChildren(...content);
  window.print();
}
