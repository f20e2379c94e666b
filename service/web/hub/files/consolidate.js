// Consolidating: a connote is opened, processed parcels are scanned into it, it is closed, labelled and exported. Where it goes
// is where the first parcel in it goes.

import { GOOD, STOP, consolidate, goesTo } from "./rules.js";
import { printLabel } from "./paper.js";
import { $, clock, el, number as bdi, t } from "./words.js";

const newNumber = (hub) => {
  const today = new Date().toISOString().slice(2, 10).replaceAll("-", "");
  const random = crypto.getRandomValues(new Uint16Array(2));
  return `CN-${hub.replaceAll("_", "-").toUpperCase().slice(0, 20)}-${today}-${[...random].map((each) => each.toString(36).toUpperCase()).join("")}`;
};

export class Consolidation {
  constructor(station) {
    this.station = station;
    this.open = null; // the number of the one that is worked on
    const act = (id, work) => $(id).addEventListener("click", () => station.inTurn(() => work.call(this)));
    act("make", () => this.begin(newNumber(station.hub)));
    act("label", this.label);
    act("close", () => this.change({ closed: true }, "closed"));
    act("reopen", () => this.change({ closed: false }, "opened"));
    act("export", this.export);
    act("aside", this.leave);
  }

  all() {
    return this.station.store.read("connotes").all();
  }

  async current() {
    return this.open && (await this.station.store.read("connotes").get(this.open));
  }

  save(connote) {
    return this.station.store.put("connotes", connote);
  }

  async scan(number) {
    const connote = await this.current();
    if (!connote) return this.choose(number);
    if (connote.closed) return this.station.stop("closed_before", connote.connote);
    const found = await this.station.lookUp(number);
    const others = (await this.all()).filter((each) => !each.exported);
    const verdict = consolidate(found, connote, others);
    if (verdict.does) await this.pack(connote, verdict.parcel);
    if (verdict.signal === STOP) await this.station.records.stopped(verdict.say, number);
    this.station.say(verdict, number);
    return this.update();
  }

  async pack(connote, parcel) {
    const { retailer, destination_country } = parcel;
    const place = connote.members.length ? {} : { retailer, destination_country };
    await this.save({ ...connote, ...place, members: [...connote.members, parcel.return_id] });
    await this.station.records.note("packed", parcel.return_id, { connote: connote.connote });
  }

  // A connote that is open already, or a new one; a return in hand is none.
  async choose(number) {
    const known = await this.station.store.read("connotes").get(number);
    if (known?.exported) return this.station.stop("exported", number, { connote: number });
    if (known) return this.resume(known);
    const found = await this.station.lookUp(number);
    if (found?.items.length || found?.not_ours) return this.station.stop("is_return", number);
    return this.begin(number);
  }

  async begin(number) {
    const connote = { connote: number, members: [], retailer: null, destination_country: null, closed: false, exported: null };
    await this.save(connote);
    await this.resume(connote);
  }

  async resume(connote) {
    this.open = connote.connote;
    this.station.say({ signal: GOOD, say: connote.closed ? "closed" : "opened", parcel: null, values: connote }, connote.connote);
    await this.update();
  }

  async change(change, say) {
    const connote = await this.current();
    if (!connote) return;
    await this.save({ ...connote, ...change });
    this.station.say({ signal: GOOD, say, parcel: null, values: connote }, connote.connote);
    await this.update();
  }

  async leave() {
    this.open = null;
    await this.update();
  }

  async export() {
    const connote = await this.current();
    if (!connote) return;
    if (!connote.members.length) {
      await this.station.stop("empty", connote.connote);
      return;
    }
    const { destination_country, members } = connote;
    const data = { connote: connote.connote, ...(destination_country && { destination_country }) };
    await this.save({ ...connote, closed: true, exported: new Date().toISOString() });
    await this.station.records.recordAll("exported", connote.connote, members, "hub.exported", data);
    this.open = null;
    this.station.say({ signal: GOOD, say: "exported_now", parcel: null, values: { count: members.length } }, connote.connote);
    await this.update();
    await this.station.side.update();
  }

  // An act was undone: a parcel is taken out again, or an export did not happen.
  async takeBack(act) {
    const connote = await this.station.store.read("connotes").get(act.connote);
    if (!connote) return;
    if (act.kind === "exported") await this.save({ ...connote, exported: null });
    if (act.kind === "packed") await this.save({ ...connote, members: connote.members.filter((each) => each !== act.return_id) });
    await this.update();
  }

  async label() {
    const connote = await this.current();
    if (!connote) return;
    const { hub } = this.station;
    const lines = [
      t("paper.to", { place: goesTo(connote) }),
      t("paper.parcels", { count: connote.members.length }),
      t("paper.at", { hub, when: clock(Date.now()) }),
    ];
    printLabel({ title: t("paper.connote"), number: connote.connote, lines });
  }

  async update() {
    const connote = await this.current();
    const others = (await this.all()).filter((each) => !each.exported && each.connote !== this.open);
    const shown = { make: !connote, label: connote, close: connote && !connote.closed, reopen: connote?.closed, export: connote, aside: connote };
    for (const [id, is] of Object.entries(shown)) $(id).hidden = !is;
    $("connote-first").hidden = Boolean(connote);
    $("connote-number").textContent = connote?.connote ?? "";
    $("connote-place").textContent = connote?.members.length ? `${goesTo(connote)} · ${t("more.count", { count: connote.members.length })}` : "";
    $("members").hidden = !connote?.members.length;
    $("members").replaceChildren(...(connote?.members ?? []).map((each) => el("li", {}, bdi(each))));
    $("open-title").hidden = !others.length;
    $("open").replaceChildren(
      ...others.map((each) =>
        el("button", { type: "button", onclick: () => this.station.inTurn(() => this.resume(each)) }, bdi(each.connote), ` (${each.members.length})`),
      ),
    );
  }
}
