// Processing: a parcel is opened, its items are counted against what was expected, each with its condition and outcome; or the
// whole return is rejected, for a reason.

import { GOOD, KEPT, LOOK, STOP, process } from "./rules.js";
import { $, el, number as bdi, t } from "./words.js";

const CONDITIONS = ["as_new", "used", "damaged"];
const OUTCOMES = ["accepted", "rejected"];
const REASONS = ["damaged", "worn_or_used", "wrong_item", "incomplete", "not_allowed", "other"];

export class Processing {
  constructor(station) {
    this.station = station;
    this.parcel = null; // the one that is open
    const act = (id, work) => $(id).addEventListener("click", () => station.inTurn(() => work.call(this)));
    act("all", this.all);
    act("done", this.done);
    act("cancel", this.cancel);
    $("reject").addEventListener("click", () => this.showReasons($("reasons").hidden));
    $("reason-tiles").append(
      ...REASONS.map((reason) =>
        el("button", { type: "button", onclick: () => station.inTurn(() => this.reject(reason)) }, t(`reason.${reason}`)),
      ),
    );
  }

  async open(number) {
    const found = await this.station.lookUp(number);
    const verdict = process(found);
    if (verdict.signal === STOP) await this.station.records.stopped(verdict.say, number);
    if (verdict.does) {
      // Kept unchecked, it is known by what was scanned alone.
      this.parcel = verdict.parcel ?? { return_id: number, items: [] };
      this.isUnchecked = !found || found.isRemembered;
      this.number = number;
      this.items = this.parcel.items.map((item) => ({
        sku: item.sku, expected: item.quantity, quantity: 0, condition: null, outcome: "accepted", reason: null,
      }));
      this.draw();
    }
    this.station.say(verdict, number);
  }

  // With a parcel open, a scan is an item in it, or once more the parcel: then it is done.
  async scan(text, number) {
    const item = this.items.find((each) => each.sku === text);
    if (item) {
      const signal = item.quantity < item.expected ? GOOD : LOOK;
      item.quantity += 1;
      this.draw();
      this.station.say({ signal, say: signal === GOOD ? "counted" : "too_many", parcel: null }, text);
    } else if (number && [this.number, this.parcel.return_id, this.parcel.tracking_number].includes(number)) {
      await this.done();
    } else {
      await this.station.stop("not_in_it", text);
    }
  }

  all() {
    for (const item of this.items) item.quantity = Math.max(item.quantity, item.expected);
    this.draw();
  }

  async done() {
    if (!this.parcel) return this.station.stop("nothing_open", "");
    const there = this.items.filter((item) => item.quantity > 0);
    if (this.items.length && !there.length) return this.station.stop("count_first", this.parcel.return_id);
    if (there.some((item) => item.outcome === "rejected" && !item.reason)) return this.station.stop("why_first", this.parcel.return_id);
    const items = there.map(({ sku, quantity, condition, outcome, reason }) => ({
      sku, quantity, ...(condition && { condition }), outcome, ...(outcome === "rejected" && { reason }),
    }));
    return this.finish("processed", "hub.processed", items.length ? { items } : {});
  }

  reject(reason) {
    return this.finish("rejected", "hub.rejected", { reason });
  }

  async finish(kind, type, data) {
    const { parcel, number } = this;
    // Where nobody could be asked whether it makes sense, it is not said to.
    const [signal, say] = this.isUnchecked ? [KEPT, "kept"] : [GOOD, kind];
    await this.station.records.record(kind, number, parcel, type, data, this.isUnchecked, say);
    this.parcel = null;
    this.draw();
    this.station.say({ signal, say, parcel: null }, parcel.return_id);
    await this.station.side.update();
  }

  cancel() {
    if (this.parcel) this.station.say({ signal: LOOK, say: "put_back", parcel: null }, this.parcel.return_id);
    this.parcel = null;
    this.draw();
  }

  showReasons(shown) {
    $("reasons").hidden = !shown;
    $("reject").ariaExpanded = String(shown);
  }

  draw() {
    $("process").hidden = !this.parcel;
    this.showReasons(false);
    if (!this.parcel) return;
    $("process-number").textContent = this.parcel.return_id;
    $("all").hidden = !this.items.length;
    $("items").replaceChildren(...this.items.map((item) => this.row(item)));
  }

  row(item) {
    const { sku } = item;
    const step = (by, sign, label) => {
      const move = () => {
        item.quantity = Math.max(0, item.quantity + by);
        this.draw();
      };
      return el("button", { type: "button", className: "step", ariaLabel: t(label, { sku }), onclick: move }, sign);
    };
    const choices = (label, member, values, words) => {
      const tile = (value) => {
        const chose = () => {
          item[member] = value;
          this.draw();
        };
        const ariaPressed = String(item[member] === value);
        return el("button", { type: "button", ariaPressed, onclick: chose }, t(`${words}.${value}`));
      };
      return el("div", { className: "tiles", role: "group", ariaLabel: t(label, { sku }) }, ...values.map(tile));
    };
    const is = item.quantity === item.expected ? "there" : item.quantity ? "differs" : "missing";
    const count = el("p", { className: "count" }, el("b", {}, String(item.quantity)), " ", t("item.of", { expected: item.expected }));
    return el(
      "li",
      { data: { is, sku } },
      el("p", { className: "sku" }, bdi(sku)),
      el("div", { className: "counting" }, step(-1, "−", "item.fewer"), count, step(1, "+", "item.more")),
      choices("item.condition", "condition", CONDITIONS, "condition"),
      choices("item.outcome", "outcome", OUTCOMES, "outcome"),
      ...(item.outcome === "rejected" ? [choices("item.reason", "reason", REASONS, "reason")] : []),
    );
  }
}
