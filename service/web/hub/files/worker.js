// Keeps the page and its files, so that the station can be opened while the service is away. What is scanned is none of its
// business: that is kept by the page. KEPT, the addresses, stands before this; another version of a file is another address.

const CACHE = "returns-hub";
const PAGE = "/hub";
const PATIENCE_MS = 3000;

const addressOf = (request) => {
  const { origin, pathname } = new URL(request.url);
  return origin === self.location.origin ? pathname : "";
};

self.addEventListener("install", (event) => {
  // All or nothing, past the browser's own cache. The page in the language that it was opened in stays.
  const keep = async () => {
    const cache = await caches.open(CACHE);
    const missing = [];
    for (const address of KEPT) if (address !== PAGE || !(await cache.match(PAGE))) missing.push(address);
    await cache.addAll(missing.map((address) => new Request(address, { cache: "reload" })));
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    await self.clients.claim();
    const cache = await caches.open(CACHE);
    // An older page may be open, and a kept one may be older than this: what either names goes with the version after.
    const page = (await (await cache.match(PAGE))?.text()) ?? "";
    for (const request of await cache.keys()) {
      const address = addressOf(request);
      const folder = address.slice(0, address.lastIndexOf("/"));
      if (!KEPT.includes(address) && !page.includes(folder)) await cache.delete(request);
    }
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const address = addressOf(event.request);
  if (event.request.method !== "GET") return;
  if (address === PAGE && event.request.mode === "navigate") event.respondWith(page(event.request));
  else if (address.startsWith(`${PAGE}/files/`) || KEPT.includes(address)) event.respondWith(file(event.request));
});

// As it is now, if that comes soon; else as it was.
async function page(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok && !answer.redirected) {
      await cache.put(PAGE, answer.clone());
      return answer;
    }
    return (await cache.match(PAGE)) ?? answer;
  } catch (error) {
    const kept = await cache.match(PAGE);
    if (kept) return kept;
    throw error;
  }
}

async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request.url, answer.clone());
  return answer;
}
