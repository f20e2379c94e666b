// What was done at this station in this shift, and what it knows of parcels from it. Events are made here, with ids of ours.

const TYPES = "com.omnirps.";
const KINDS = ["received", "processed", "exported", "rejected"];
const FRESH_MS = 60000; // by then the service shows what it was told
const MOST_PARCELS = 5000;

const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

let last = 0;

// Now, with the station's offset from UTC; no two events of a station happen at one time.
function stamp() {
  last = Math.max(Date.now(), last + 1);
  const minutes = -new Date(last).getTimezoneOffset();
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const offset = `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
  return new Date(last + minutes * 60000).toISOString().replace("Z", offset);
}

const isSameTime = (one, other) => Date.parse(one) === Date.parse(other);
const counts = (act) => !act.undone && !act.refused;

export class Records {
  constructor(station) {
    this.station = station;
    this.store = station.store;
  }

  get source() {
    return `/hub/${this.station.hub}/${this.station.id}`;
  }

  event(type, data) {
    return { specversion: "1.0", id: newId(), source: this.source, type: `${TYPES}${type}.v1`, time: stamp(), data };
  }

  acts() {
    return this.store.read("acts").all();
  }

  // One parcel's fact. Whose number could not be looked up is found out before it is sent: `isUnchecked`. `say`: what was said.
  async record(kind, number, parcel, type, data, isUnchecked, say = kind) {
    const return_id = parcel?.return_id ?? number;
    const event = this.event(type, { return_id, hub: this.station.hub, ...data });
    const known = isUnchecked ? null : return_id;
    const act = { kind, say, at: event.time, number, return_id: known, events: [[event.id, return_id]] };
    await this.station.outbox.keep(act, [{ event, ...(isUnchecked && { number }) }]);
    await this.station.showLink();
    return act;
  }

  // One fact of many parcels.
  async recordAll(kind, number, returnIds, type, data) {
    const events = returnIds.map((return_id) => this.event(type, { return_id, hub: this.station.hub, ...data }));
    const ids = events.map((event) => [event.id, event.data.return_id]);
    const act = { kind, at: events[0].time, number, return_id: null, events: ids, ...data };
    await this.station.outbox.keep(act, events.map((event) => ({ event })));
    await this.station.showLink();
  }

  // Something that no event says.
  note(kind, number, more = {}) {
    return this.store.put("acts", { kind, at: new Date().toISOString(), number, return_id: number, events: [], ...more });
  }

  stopped(say, number) {
    return this.note("stopped", number, { say });
  }

  async undo() {
    const act = (await this.acts()).filter((each) => counts(each) && each.kind !== "stopped").at(-1);
    if (!act) return null;
    const { hub, id, publisher } = this.station;
    const mistake = { source: this.source, by: `${publisher}, ${hub}, station ${id}`, reason: "undone at the station" };
    const voids = act.events.map(([id_, return_id]) =>
      this.event("event.voided", { return_id: act.events.length > 1 ? return_id : act.return_id, ...mistake, id: id_ }),
    );
    await this.station.outbox.undo(act, voids);
    await this.station.showLink();
    return act;
  }

  // Whoever scans the same again while nobody can be asked.
  async sameNumber(number) {
    return (await this.acts()).findLast((act) => act.kind === "received" && counts(act) && act.number === number);
  }

  // Keep what the service said for when it is away, and add what it was told a moment ago, or will be.
  async remember(found) {
    await this.store.change(["parcels"], async (parcels) => {
      if ((await parcels.count()) > MOST_PARCELS) await parcels.clear();
      for (const parcel of found.items) await parcels.put(parcel);
    });
    return this.upToDate(found, Date.now() - FRESH_MS);
  }

  async known(number) {
    const parcels = this.store.read("parcels");
    const one = await parcels.get(number);
    const items = one ? [one] : await this.store.read("parcels").by("tracking_number", number);
    return items.length ? this.upToDate({ items, not_ours: false, isRemembered: true }, 0) : null;
  }

  async upToDate(found, since) {
    const acts = (await this.acts()).filter((act) => KINDS.includes(act.kind));
    const items = found.items.map((parcel) => {
      const now = { ...parcel };
      for (const act of acts) {
        if (!act.events.some(([, return_id]) => return_id === parcel.return_id || act.return_id === parcel.return_id)) continue;
        const isFresh = !act.sent || Date.parse(act.at) > since;
        if (act.undone && now[act.kind] && isSameTime(now[act.kind].at, act.at)) now[act.kind] = null;
        if (counts(act) && isFresh) now[act.kind] ??= { at: act.at, hub: this.station.hub };
        if (act.kind === "exported" && counts(act) && isFresh) now.connote = act.connote;
      }
      return now;
    });
    return { ...found, items };
  }

  // Counters begin anew; what still waits to be sent stays.
  async newShift() {
    await this.store.change(["acts", "outbox"], async (acts, outbox) => {
      const waiting = new Set((await outbox.all()).map((entry) => entry.act));
      for (const act of await acts.all()) if (!waiting.has(act.n) && !act.late) await acts.delete(act.n);
    });
  }
}
