// Consolidating: a connote is opened, processed parcels are scanned into it, it is closed, labelled and exported. Where it goes
// is where the first parcel in it goes. What is in an open one, its station alone knows; stations share the number, each exports
// its own parcels under it, and each sees what was exported.

import { GOOD, KEPT, LOOK, STOP, consolidate, goesTo, hasPlace, isOneWay } from "./rules.js";
import { REACHED } from "./outbox.js";
import { printLabel } from "./paper.js";
import { $, clock, el, number as bdi, t } from "./words.js";

const GONE = ["RE", "RDBTC", "RR"];
const ENDED = ["delivered", "without_members"]; // of a connote
const MOST_TOLD = 5;
const CONTROL = /[\u0000-\u001f\u007f]/g;
const COMMAND = /^hub:/i;

const newNumber = (hub) => {
  const today = new Date().toISOString().slice(2, 10).replaceAll("-", "");
  const random = crypto.getRandomValues(new Uint16Array(2));
  return `CN-${hub.replaceAll("_", "-").toUpperCase().slice(0, 20)}-${today}-${[...random].map((each) => each.toString(36).toUpperCase()).join("")}`;
};

export class Consolidation {
  constructor(station) {
    this.station = station;
    this.open = null; // the number of the one that is worked on
    this.wanted = null; // the number that was scanned though it was exported under
    const act = (id, work) => $(id).addEventListener("click", () => station.inTurn(() => work.call(this)));
    act("make", () => this.begin(newNumber(station.hub)));
    act("label", this.label);
    act("close", () => this.change({ closed: true }, "closed"));
    act("reopen", () => this.change({ closed: false }, "opened"));
    act("export", this.export);
    act("aside", this.leave);
    $("mawb").addEventListener("change", () => {
      const { value } = $("mawb");
      if (COMMAND.test(value)) station.inTurn(() => station.scanned(value));
      else station.inTurn(() => this.waybill(value));
    });
    $("mawb").addEventListener("keydown", (event) => {
      if (event.key === "Enter") $("field").focus(); // a scanner ends with it, and the next scan is a parcel
    });
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
    if (connote.ended) return this.station.stop("delivered", connote.connote);
    if (connote.closed) return this.station.stop("closed_before", connote.connote);
    const found = await this.station.lookUp(number);
    const others = (await this.all()).filter((each) => !each.exported && !each.ended);
    const verdict = consolidate(found, connote, others);
    if (verdict.does) await this.pack(connote, verdict.parcel);
    if (verdict.signal === STOP) await this.station.records.stopped(verdict.say, number);
    this.station.say(verdict, number);
    return this.update();
  }

  async pack(connote, parcel) {
    const { retailer, destination_country } = parcel;
    const place = hasPlace(connote) ? {} : { retailer, destination_country };
    await this.save({ ...connote, ...place, members: [...connote.members, parcel.return_id] });
    await this.station.records.note("packed", parcel.return_id, { connote: connote.connote });
  }

  // A connote that is open here already, one that was exported under, which is asked for twice, or a new one; a return in hand is
  // none.
  async choose(number) {
    const { station } = this;
    const here = await station.store.read("connotes").get(number);
    if (here && !here.exported) return this.resume(here);
    const shared = await this.shared(number);
    if (ENDED.includes(shared?.state)) return station.stop("delivered", number);
    const count = shared?.members || here?.members.length;
    if (count && this.wanted !== number) {
      this.wanted = number;
      return station.stop("exported_under", number, { ...shared?.exported, count });
    }
    const found = await station.lookUp(number);
    if (found?.items.length || found?.not_ours) return station.stop("is_return", number);
    return this.begin(number);
  }

  async begin(number) {
    this.wanted = null;
    const connote = { connote: number, members: [], retailer: null, destination_country: null, closed: false, exported: null };
    await this.save(connote);
    await this.resume(connote);
  }

  async resume(known) {
    this.open = known.connote;
    const connote = await this.refreshed(known);
    const { before } = connote;
    if (connote.ended) await this.station.stop("delivered", connote.connote);
    else if (isMixed(connote)) await this.mixed(connote);
    else if (before && !connote.closed) {
      this.station.say({ signal: LOOK, say: "joined", parcel: null, values: before }, connote.connote);
    } else this.station.say({ signal: GOOD, say: connote.closed ? "closed" : "opened", parcel: null, values: connote }, connote.connote);
    await this.update();
  }

  shared(number) {
    return this.station.asked(() => this.station.service.connote(number));
  }

  // With what was exported under it meanwhile, by this station or another one; `ended`: it was delivered, so that nothing goes under
  // it any more, and what lies in it may go into another.
  async refreshed(connote) {
    const shared = await this.shared(connote.connote);
    if (!shared) return connote;
    const { members: count, exported, retailer, destination_country } = shared;
    const before = count ? { count, ...exported, retailer, destination_country } : null;
    const place = before && !connote.members.length ? { retailer, destination_country } : {};
    const now = { ...connote, ...place, before, ended: ENDED.includes(shared.state) };
    await this.save(now);
    return now;
  }

  // Now and then, while it is worked on.
  async look() {
    const connote = await this.current();
    if (!connote) return;
    await this.refreshed(connote);
    await this.update();
  }

  mixed(connote) {
    return this.station.stop("destination", connote.connote, { place: goesTo(connote), other: goesTo(connote.before) });
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
    const { station } = this;
    const known = await this.current();
    if (!known) return;
    const connote = await this.refreshed(known);
    const { destination_country, members, mawb } = connote;
    if (!members.length) await station.stop("empty", connote.connote);
    else if (connote.ended) await station.stop("delivered", connote.connote);
    else if (isMixed(connote)) await this.mixed(connote);
    else if (!(await this.takeOut(connote))) {
      // KEPT: nobody could be asked whether a parcel went another way meanwhile.
      const signal = station.outbox.state === REACHED ? GOOD : KEPT;
      const data = { connote: connote.connote, ...(mawb && { mawb }), ...(destination_country && { destination_country }) };
      await this.save({ ...connote, closed: true, exported: new Date().toISOString() });
      await station.records.recordAll("exported", connote.connote, members, "hub.exported", data);
      this.open = null;
      station.say({ signal, say: "exported_now", parcel: null, values: { count: members.length } }, connote.connote);
    }
    await this.update();
    await station.side.update();
  }

  // Parcels that went another way while they were in this connote: they are not exported with it. Whether there are any; none,
  // where nobody can be asked.
  async takeOut(connote) {
    const { station } = this;
    const undone = (await station.records.acts()).filter((act) => act.kind === "exported" && act.undone);
    const isOfUndone = ({ return_id, connote: number }) =>
      undone.some((act) => act.connote === number && act.events.some(([, each]) => each === return_id));
    const found = (await station.asked(() => station.service.parcels(connote.members))) ?? [];
    const gone = found.filter((each) => GONE.includes(each.status) && !isOfUndone(each));
    if (!gone.length) return false;
    const ids = gone.map((each) => each.return_id);
    await this.save({ ...connote, members: connote.members.filter((each) => !ids.includes(each)) });
    const told = gone.slice(0, MOST_TOLD).map((each) => [`${each.return_id}: ${t(`status.${each.status}`)}`, each.connote].filter(Boolean).join(", "));
    await station.stop("gone", connote.connote, { count: gone.length, parcels: told.join("; ") });
    return true;
  }

  // The air waybill under which it flies, where that is known; from the keyboard, or scanned.
  async waybill(text) {
    const connote = await this.current();
    if (connote) await this.save({ ...connote, mawb: text.replace(CONTROL, "").trim() || null });
    await this.update();
  }

  // An act was undone: a parcel is taken out again, or an export did not happen.
  async takeBack(act) {
    const connote = await this.station.store.read("connotes").get(act.connote);
    if (!connote) return;
    const members = new Set(connote.members);
    if (act.kind === "packed") members.delete(act.return_id);
    else for (const [, return_id] of act.events) members.add(return_id);
    await this.save({ ...connote, members: [...members], ...(act.kind === "exported" && { exported: null }) });
    await this.update();
  }

  async label() {
    const connote = await this.current();
    if (!connote) return;
    const { hub } = this.station;
    const lines = [
      t("paper.to", { place: goesTo(connote) }),
      t("paper.parcels", { count: connote.members.length + (connote.before?.count ?? 0) }),
      t("paper.at", { hub, when: clock(Date.now()) }),
    ];
    printLabel({ title: t("paper.connote"), number: connote.connote, lines });
  }

  async update() {
    const connote = await this.current();
    const others = (await this.all()).filter((each) => !each.exported && each.connote !== this.open);
    const shown = {
      make: !connote, label: connote, close: connote && !connote.closed, reopen: connote?.closed, export: connote, aside: connote, flight: connote,
    };
    for (const [id, is] of Object.entries(shown)) $(id).hidden = !is;
    $("connote-first").hidden = Boolean(connote);
    $("connote-number").textContent = connote?.connote ?? "";
    $("connote-place").textContent = connote ? says(connote) : "";
    if (document.activeElement !== $("mawb")) $("mawb").value = connote?.mawb ?? "";
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

// Where it goes, how much this station has in it, and how much was exported under it.
function says(connote) {
  const { members, before } = connote;
  const told = [hasPlace(connote) && goesTo(connote), members.length && t("more.count", { count: members.length })];
  return [...told, before && t("more.before", before)].filter(Boolean).join(" · ");
}

const isMixed = ({ members, before, ...place }) => Boolean(members.length && before && !isOneWay(place, before));
