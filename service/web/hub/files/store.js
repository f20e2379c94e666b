// What the station remembers, in IndexedDB: it outlives reloads, crashes and power cuts of the station.
//
// outbox   events in the order in which they happened, until the service has them
// refused  events that the service did not take, with what was wrong
// acts     what was done in this shift
// parcels  what is known of parcels, for when nobody can be asked; by return_id
// connotes open consolidations, and those that were exported in this shift
// settings token, station, shift: by name

const NAME = "returns-hub";
const VERSION = 1;
export const STORES = ["outbox", "refused", "acts", "parcels", "connotes", "settings"];

const wait = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Store {
  static async open() {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("outbox", { keyPath: "n", autoIncrement: true });
      db.createObjectStore("refused", { keyPath: "n" });
      db.createObjectStore("acts", { keyPath: "n", autoIncrement: true });
      db.createObjectStore("parcels", { keyPath: "return_id" }).createIndex("tracking_number", "tracking_number");
      db.createObjectStore("connotes", { keyPath: "connote" });
      db.createObjectStore("settings");
    };
    return new Store(await wait(request));
  }

  constructor(db) {
    this.db = db;
  }

  // All of it or nothing. `work` is given an object store for each name; it must ask nothing but them.
  async change(names, work) {
    const transaction = this.db.transaction(names, "readwrite", { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const found = await work(...names.map((name) => wrap(transaction.objectStore(name))));
    await done;
    return found;
  }

  read(name) {
    return wrap(this.db.transaction(name).objectStore(name));
  }

  put(name, value, key) {
    return this.change([name], (store) => store.put(value, key));
  }
}

const wrap = (store) => ({
  get: (key) => wait(store.get(key)),
  by: (index, value) => wait(store.index(index).getAll(value)),
  all: (most) => wait(store.getAll(null, most)),
  count: () => wait(store.count()),
  put: (value, key) => wait(key === undefined ? store.put(value) : store.put(value, key)),
  delete: (key) => wait(store.delete(key)),
  clear: () => wait(store.clear()),
});
