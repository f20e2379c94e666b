// The scan station: who works here, what is scanned, and what comes of it. A scan is taken in its turn, whatever waits.

import { startCamera } from "./camera.js";
import { Consolidation } from "./consolidate.js";
import { Outbox, AWAY, DENIED, REACHED } from "./outbox.js";
import { printCommands, printLabel } from "./paper.js";
import { Processing } from "./process.js";
import { Records } from "./records.js";
import { GOOD, KEPT, LOOK, STOP, process, receive } from "./rules.js";
import { NotAllowed, Service, Unreachable } from "./service.js";
import { enter } from "./signin.js";
import { ready, show, unlock } from "./signals.js";
import { Store } from "./store.js";
import { Side } from "./side.js";
import { $, clock, has, number as bdi, t, when } from "./words.js";

const NUMBER = /^[A-Za-z0-9][A-Za-z0-9._-]{2,63}$/;
const INVISIBLE = /[\u0000-\u001f\u007f\u200b-\u200f\ufeff\s]/g;
const COMMAND = /^hub:([a-z]+)$/i;
const SKEW_SECONDS = 120;

// The number in what a scanner read: bare, or the end of a tracking page's address. Empty: there is none.
function numberIn(text) {
  const track = /\/track\/([^/?#]+)/.exec(text);
  const typed = (track ? track[1] : text).replace(INVISIBLE, "");
  return NUMBER.test(typed) ? typed : "";
}

class Station {
  constructor(store, service, { publisher, hub, id }) {
    Object.assign(this, { store, service, publisher, hub, id });
    const judge = (act, found) => this.judge(act, found);
    this.outbox = new Outbox(store, service, (what) => this.hear(what), judge);
    this.records = new Records(this);
    this.side = new Side(this);
    this.processing = new Processing(this);
    this.consolidation = new Consolidation(this);
    this.mode = "receive";
    this.turn = Promise.resolve();
  }

  async start() {
    $("desk").hidden = $("modes").hidden = $("link").hidden = false;
    $("hub").replaceChildren(bdi(this.hub));
    this.listen();
    await this.choose((await this.store.read("settings").get("mode")) ?? "receive");
    ready(t("say.ready"));
    this.showLink();
    this.outbox.run().catch(broken);
  }

  listen() {
    const act = (id, work) => $(id).addEventListener("click", () => this.inTurn(work));
    $("scan").addEventListener("submit", (event) => {
      event.preventDefault();
      const { value } = $("field");
      $("field").value = "";
      $("field").inputMode = "none";
      if (value.trim()) this.inTurn(() => this.scanned(value.trim()));
    });
    // Who touches the field wants to type what cannot be read; a scanner needs no keyboard on the screen.
    $("field").addEventListener("pointerdown", () => {
      $("field").inputMode = "text";
    });
    for (const button of $("modes").children) {
      button.addEventListener("click", () => this.inTurn(() => this.choose(button.dataset.mode)));
    }
    act("undo", () => this.undo());
    act("shift", () => this.records.newShift().then(() => this.side.update()));
    act("sheet", () => printCommands());
    act("paper", () => this.paper && printLabel(this.paper));
    act("leave", () => this.leave());
    $("camera").addEventListener("click", () => $("field").focus());
    startCamera($("camera"), $("view"), (text) => this.inTurn(() => this.scanned(text)));
    addEventListener("online", () => this.outbox.wake());
    keepFocus();
  }

  inTurn(work) {
    unlock();
    return this.later(work);
  }

  // In its turn, and nobody touched anything for it.
  later(work) {
    this.turn = this.turn.then(work).catch(broken);
    return this.turn;
  }

  async choose(mode) {
    this.mode = mode;
    document.body.dataset.mode = mode;
    for (const button of $("modes").children) button.ariaPressed = String(button.dataset.mode === mode);
    $("process").hidden = mode !== "process" || !this.processing.parcel;
    $("consolidate").hidden = mode !== "consolidate";
    await this.store.put("settings", mode, "mode");
    await this.consolidation.update();
    await this.side.update();
    this.side.refresh();
  }

  async scanned(text) {
    const command = COMMAND.exec(text);
    if (command) return this.command(command[1].toLowerCase());
    const found = numberIn(text);
    if (this.mode === "process" && this.processing.parcel) await this.processing.scan(text.trim(), found);
    else if (!found) await this.stop("unreadable", "");
    else if (this.mode === "receive") await this.receive(found);
    else if (this.mode === "process") await this.processing.open(found);
    else await this.consolidation.scan(found);
    await this.side.update();
  }

  command(name) {
    const buttons = { undo: "undo", done: "done", all: "all", reject: "reject", close: "close", export: "export", make: "make" };
    if (["receive", "process", "consolidate"].includes(name)) return this.choose(name);
    const button = $(buttons[name] ?? "");
    if (!button || !button.offsetParent) return this.stop("unreadable", "");
    setTimeout(() => button.click()); // in its turn
    return undefined;
  }

  async receive(number) {
    const found = await this.lookUp(number);
    const earlier = found ? null : await this.records.sameNumber(number);
    if (earlier) {
      const values = { at: earlier.at, hub: this.hub };
      this.say({ signal: LOOK, say: "received_before", parcel: null, values, does: false }, number);
      return;
    }
    const said = receive(found, this.hub);
    // What is remembered may be old: it is asked for again before the scan is sent.
    const isUnchecked = !found || found.isRemembered;
    const verdict = isUnchecked && said.does ? { ...said, signal: KEPT, say: "kept" } : said;
    if (verdict.does) {
      await this.records.record("received", number, verdict.parcel, "hub.depot-scanned", {}, isUnchecked, verdict.say);
    } else if (verdict.signal === STOP) {
      await this.records.stopped(verdict.say, number);
    }
    this.say(verdict, number);
  }

  // What the service knows of a code; what this station remembers, where nobody can be asked; else null.
  async lookUp(number) {
    const ask = async () => this.records.remember((await this.service.scan(number)) ?? { items: [], not_ours: false });
    return (await this.asked(ask)) ?? this.records.known(number);
  }

  // What the service says; null where nobody can be asked.
  async asked(ask) {
    if (this.outbox.state !== REACHED) return null;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof NotAllowed) this.outbox.become(DENIED);
      else if (error instanceof Unreachable) this.outbox.become(AWAY);
      else throw error;
      this.outbox.wake();
      return null;
    }
  }

  judge(act, found) {
    const known = found ?? { items: [], not_ours: false };
    const verdict = act.kind === "received" ? receive(known, this.hub) : process(known);
    return verdict.signal === GOOD ? null : verdict.say;
  }

  async stop(say, number, values = {}) {
    await this.records.stopped(say, number);
    this.say({ signal: STOP, say, parcel: null, values }, number);
  }

  // The answer to a scan: what it is, what the return's state was, and what else helps.
  say({ signal, say, parcel, values = {} }, number, label = null) {
    const shown = parcel?.return_id ?? number;
    const more = [];
    if (values.at) more.push(t("more.since", { when: when(values.at), hub: values.hub || "–" }));
    else if (parcel?.status) more.push(t("more.was", { status: t(`status.${parcel.status}`) }));
    const own = { exported: "connote", packed_elsewhere: "connote", opened: "connote", packed: "count", exported_now: "count" };
    const detail = `more.${own[say] ?? (signal === KEPT ? "kept" : say)}`;
    if (has(detail) && detail !== "more.was") more.push(t(detail, values));
    if (parcel && this.mode === "process" && signal === GOOD && !parcel.items.length && say === "open") more.push(t("more.no_items"));
    if (say === "unknown") {
      label = { title: t("paper.park"), number: shown, lines: [t("paper.at", { hub: this.hub, when: clock(Date.now()) })] };
    }
    this.paper = label;
    $("paper").hidden = !label;
    show(signal, t(`say.${say}`), shown, more);
  }

  async undo() {
    const act = await this.records.undo();
    if (act?.connote) await this.consolidation.takeBack(act);
    if (act) this.say({ signal: LOOK, say: "undone", parcel: null }, act.return_id ?? act.number);
    else this.say({ signal: STOP, say: "nothing", parcel: null }, "");
    await this.side.update();
  }

  hear(what) {
    if (what === "state") this.showLink();
    if (what === "refused") this.inTurn(() => this.say({ signal: STOP, say: "refused", parcel: null }, ""));
    if (what !== "state") this.inTurn(() => this.side.update());
    this.side.refresh();
  }

  async showLink() {
    const waiting = await this.store.read("outbox").count();
    const { state } = this.outbox;
    const wrong = Math.abs(this.service.skew) > SKEW_SECONDS ? Math.round(Math.abs(this.service.skew) / 60) : 0;
    $("link").dataset.state = state === REACHED && wrong ? AWAY : state;
    const plain = !isSecureContext && state === REACHED ? ` ${t("link.plain")}` : "";
    $("state").textContent = state === REACHED && wrong ? t("link.clock", { minutes: wrong }) : t(`link.${state}`) + plain;
    $("unsent").textContent = waiting ? t("link.unsent", { count: waiting }) : "";
    $("count-unsent").textContent = waiting;
  }

  // What waits stays; whoever signs in for the same hub goes on with it.
  async leave() {
    this.outbox.stop();
    await this.store.change(["settings"], (settings) => settings.delete("token"));
    location.reload();
  }
}

// A scan goes into the field, whatever was touched before it. Tab leads elsewhere, for those who need it.
function keepFocus() {
  const field = $("field");
  const isText = (element) => element?.matches?.("input, textarea, select");
  addEventListener("keydown", (event) => {
    const types = event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey && event.key !== " ";
    if (types && !isText(event.target)) field.focus();
  });
  document.addEventListener("click", (event) => {
    if (!isText(event.target) && !event.target.closest?.("a")) field.focus();
  });
  addEventListener("focus", () => field.focus());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && field.focus());
  field.focus();
}

function broken(error) {
  $("link").hidden = false;
  $("link").dataset.state = "broken";
  $("state").textContent = t("link.broken");
  $("unsent").textContent = "";
  show(STOP, t("link.broken"));
  throw error;
}

const { worker } = document.querySelector("main").dataset;
if ("serviceWorker" in navigator) navigator.serviceWorker.register(worker, { scope: "/hub" }).catch(() => {});
navigator.storage?.persist?.();
try {
  const store = await Store.open();
  const { token, station } = await enter(store);
  await new Station(store, new Service(token), station).start();
} catch (error) {
  broken(error);
}
