// The service, as the station reaches it: with its token, and never for longer than somebody waits with a parcel in hand.

const LOOK_UP_MS = 2500;
const SEND_MS = 15000;
const PIECE = 100; // returns that are asked for at once
const WRONG = [400, 413, 415, 422];
const BATCH = "application/cloudevents-batch+json";

export class Unreachable extends Error {
  // `wait` is for how many seconds the service asked to be left alone.
  constructor(wait = 0) {
    super("the service does not answer");
    this.wait = wait;
  }
}

export class NotAllowed extends Error {}

export class Service {
  constructor(token) {
    this.token = token;
    this.skew = 0; // seconds that the station's clock is ahead
  }

  station() {
    return this.ask("/v1/hub");
  }

  async scan(number) {
    const found = await this.ask(`/v1/hub/scans/${encodeURIComponent(number)}`);
    if (found && !Array.isArray(found.items)) throw new Unreachable();
    return found;
  }

  // What was exported under a connote, by whichever station.
  connote(number) {
    return this.ask(`/v1/hub/connotes/${encodeURIComponent(number)}`);
  }

  // How far returns are, of those that are seen.
  async parcels(returnIds) {
    const found = [];
    for (let at = 0; at < returnIds.length; at += PIECE) {
      const some = returnIds.slice(at, at + PIECE).map((each) => ["return_id", each]);
      found.push(...((await this.ask(`/v1/hub/parcels?${new URLSearchParams(some)}`))?.items ?? []));
    }
    return found;
  }

  waiting(hub, status, limit) {
    return this.ask(`/v1/hub/returns?${new URLSearchParams({ hub, status, limit })}`);
  }

  // What became of each event: the items of the answer; null where the service refuses the request as a whole.
  async send(events) {
    const body = JSON.stringify(events);
    const answer = await this.fetch("/v1/events", SEND_MS, { method: "POST", body, headers: { "content-type": BATCH } });
    const { items } = answer.status < 300 || answer.status === 422 ? await read(answer) : {};
    if (Array.isArray(items) && items.length === events.length) return items;
    if (WRONG.includes(answer.status)) return null;
    throw new Unreachable(); // what answers so is not the service
  }

  // What the service says; null where it does not know what was asked for.
  async ask(path) {
    const answer = await this.fetch(path, LOOK_UP_MS, {});
    if (answer.ok) return read(answer);
    if (WRONG.includes(answer.status)) return null;
    throw new Unreachable();
  }

  async fetch(path, patience, options) {
    let answer;
    try {
      answer = await fetch(path, {
        ...options,
        headers: { ...options.headers, authorization: `Bearer ${this.token}` },
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(patience),
      });
      // The answer's body is waited for no longer either.
      answer = new Response(await answer.blob(), { status: answer.status, headers: answer.headers });
    } catch {
      throw new Unreachable();
    }
    const at = Date.parse(answer.headers.get("date") ?? "");
    if (at) this.skew = Math.round((Date.now() - at) / 1000);
    if (answer.status === 401 || answer.status === 403) throw new NotAllowed();
    if (answer.status === 408 || answer.status === 429 || answer.status >= 500) {
      throw new Unreachable(Number(answer.headers.get("retry-after")) || 0);
    }
    return answer;
  }
}

// A page that some network puts in the service's place is not JSON.
const read = async (answer) => {
  try {
    const said = await answer.json();
    return said && typeof said === "object" ? said : {};
  } catch {
    throw new Unreachable();
  }
};
