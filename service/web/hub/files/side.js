// What stands beside the work: the shift's counters, the last scans, what waits longest, and what somebody has to look at.

import { NotAllowed, Unreachable } from "./service.js";
import { LOOK } from "./rules.js";
import { REACHED } from "./outbox.js";
import { $, clock, day, el, number, t } from "./words.js";

const LAST = 6;
const OLDEST = 6;
const AGAIN_MS = 30000;
const COUNTED = ["received", "processed", "rejected", "packed", "exported", "stopped"];

export class Side {
  constructor(station) {
    this.station = station;
    this.known = 0; // how many there are to look at
    setInterval(() => this.refresh(), AGAIN_MS);
  }

  async update() {
    const acts = await this.station.records.acts();
    for (const kind of COUNTED) {
      const done = acts.filter((act) => act.kind === kind && !act.undone && !act.refused);
      const count = done.reduce((sum, act) => sum + (kind === "exported" ? act.events.length : 1), 0);
      $(`count-${kind}`).textContent = count;
    }
    $("acts").replaceChildren(...acts.slice(-LAST).reverse().map(row));
    await this.station.showLink();
    await this.lookAt(acts);
  }

  async lookAt(acts) {
    const { store } = this.station;
    const refused = await store.read("refused").all();
    const late = acts.filter((act) => act.late && !act.undone);
    const seen = (work) => async () => {
      await work();
      await this.update();
    };
    const rows = [
      ...refused.map((each) =>
        this.wrong(each.event.data.return_id, each.faults.map(({ path, detail }) => `${path}: ${detail}`).join("; "),
          seen(() => store.change(["refused"], (one) => one.delete(each.n)))),
      ),
      ...late.map((act) =>
        this.wrong(act.return_id ?? act.number, t(`say.${act.late}`), seen(() => store.put("acts", { ...act, late: null }))),
      ),
    ];
    $("look").hidden = !rows.length;
    $("look-rows").replaceChildren(...rows);
    if (late.length > this.known) this.station.say({ signal: LOOK, say: "late", parcel: null }, late.at(-1).return_id);
    this.known = late.length;
  }

  wrong(id, text, seen) {
    const button = el("button", { type: "button", onclick: () => this.station.inTurn(seen) }, t("say.seen"));
    return el("li", {}, number(id), el("span", {}, text), button);
  }

  // Asked for now and then; a list that cannot be had stays as it was.
  async refresh() {
    const { service, hub, mode, outbox } = this.station;
    if (outbox.state !== REACHED) return;
    try {
      const page = await service.waiting(hub, mode === "consolidate" ? "RP" : "DS", OLDEST);
      const items = page?.items ?? [];
      $("oldest").replaceChildren(
        ...items.map((each) =>
          el("li", {}, number(each.return_id), el("span", {}, each.retailer), el("time", { dateTime: each.status_at }, day(each.status_at))),
        ),
      );
      $("nobody").hidden = items.length > 0;
      if (mode === "consolidate") this.station.later(() => this.station.consolidation.look());
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof NotAllowed)) throw error;
    }
  }
}

function row(act) {
  const say = act.kind === "exported" ? "exported_now" : (act.say ?? act.kind);
  const text = t(`say.${act.undone ? "undone" : act.refused ? "refused" : say}`);
  const kind = act.undone ? "undone" : act.kind === "stopped" || act.refused ? "stopped" : "done";
  const shown = act.return_id ?? act.number;
  return el("li", { data: { kind } }, number(shown), el("span", {}, text), el("time", { dateTime: act.at }, clock(act.at)));
}
