// Sends what happened, in the order in which it happened. An event leaves the outbox once the service has answered for it;
// until then it is sent again, word for word, so that it is the same event however often it arrives.

import { NotAllowed, Unreachable } from "./service.js";

const PIECE = 100;
const REST_MS = 1000;
const LONGEST_REST_MS = 10000;
const LOOK_MS = 10000; // between looks whether the service is there, where nothing waits
const LOCK = "returns-hub-outbox"; // of several pages of one station, one sends

export const REACHED = "reached";
export const AWAY = "away";
export const DENIED = "denied"; // the token is not valid any more: everything is kept until somebody signs in

export class Outbox {
  // `tell(what)` hears of "state", "sent" and "refused". `judge(act, found)` says at once what is to be said of a scan that was
  // kept while nobody could be asked; null: nothing.
  constructor(store, service, tell, judge) {
    this.store = store;
    this.service = service;
    this.tell = tell;
    this.judge = judge;
    this.state = REACHED;
    this.rest = REST_MS;
    this.ended = false;
  }

  // Keep events and the act that they are of, both or none. Entries: { event, number?, undoes? }.
  async keep(act, entries) {
    await this.store.change(["acts", "outbox"], async (acts, outbox) => {
      act.n = await acts.put(act);
      for (const entry of entries) await outbox.put({ ...entry, act: act.n });
    });
    this.wake();
    return act;
  }

  // Take an act back: its events are declared mistakes, in the order in which all else happens.
  async undo(act, voids) {
    await this.store.change(["acts", "outbox"], async (acts, outbox) => {
      await acts.put({ ...(await acts.get(act.n)), undone: true });
      for (const event of voids) {
        const number = event.data.return_id ? undefined : act.number;
        await outbox.put({ event, act: act.n, undoes: act.n, ...(number && { number }) });
      }
    });
    this.wake();
  }

  wake() {
    this.rest = REST_MS;
    this.awake?.();
  }

  stop() {
    this.ended = true;
    this.awake?.();
  }

  async run() {
    while (!this.ended) {
      let pause = LOOK_MS;
      try {
        const sent = navigator.locks ? await navigator.locks.request(LOCK, () => this.pass()) : await this.pass();
        if (sent) pause = 0;
        else await this.service.station();
        this.become(REACHED);
        this.rest = REST_MS;
      } catch (error) {
        if (error instanceof NotAllowed) {
          this.become(DENIED);
          return;
        }
        if (!(error instanceof Unreachable)) throw error;
        this.become(AWAY);
        // Stations that lost the service together do not come back together.
        pause = Math.max(error.wait * 1000, this.rest * (0.75 + Math.random() / 2));
        this.rest = Math.min(this.rest * 2, LONGEST_REST_MS);
      }
      if (pause) await this.sleep(pause);
    }
  }

  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.tell("state");
  }

  sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.awake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  // Send the oldest events; whether there were any.
  async pass() {
    const entries = await this.store.read("outbox").all(PIECE);
    if (!entries.length) return false;
    for (const entry of entries) if (entry.number) await this.resolve(entry);
    await this.send(entries);
    return true;
  }

  // What was scanned while nobody could be asked: find out which return it is, and keep that before it is sent.
  async resolve(entry) {
    const found = entry.undoes ? null : await this.service.scan(entry.number);
    const parcels = found?.items ?? [];
    await this.store.change(["outbox", "acts"], async (outbox, acts) => {
      const act = await acts.get(entry.act);
      if (entry.undoes) entry.event.data.return_id = (await acts.get(entry.undoes))?.return_id ?? entry.number;
      else if (parcels.length === 1) entry.event.data.return_id = parcels[0].return_id;
      if (act && !entry.undoes) {
        act.return_id = entry.event.data.return_id;
        act.late = this.judge(act, found);
        await acts.put(act);
      }
      delete entry.number;
      await outbox.put(entry);
    });
  }

  async send(entries) {
    const items = await this.service.send(entries.map((entry) => entry.event));
    if (items === null && entries.length > 1) {
      // One of them is too much for the service: each for itself, in their order.
      for (const entry of entries) await this.send([entry]);
      return;
    }
    await this.store.change(["outbox", "refused", "acts"], async (outbox, refused, acts) => {
      for (const [index, entry] of entries.entries()) {
        const item = items?.[index];
        await outbox.delete(entry.n);
        const act = await acts.get(entry.act);
        const taken = item?.status === "accepted";
        if (!taken) {
          const faults = item?.faults ?? [];
          await refused.put({ n: entry.n, event: entry.event, faults, at: new Date().toISOString() });
        }
        if (act && !entry.undoes) await acts.put({ ...act, sent: taken, refused: act.refused || !taken });
      }
    });
    if (items?.every((item) => item.status === "accepted")) this.tell("sent");
    else this.tell("refused");
  }
}
