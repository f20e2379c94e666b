// Live updates. The page is whole without this: an event says that something moved, and the page is asked for again.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !("EventSource" in window)) return;
  const told = document.getElementById("told");
  const REST_MS = 15000; // before we ask again what could not be answered
  let etag = null;
  let live = false;

  const here = new URL(location.href);
  const events = new URL(here.pathname.replace(/\/$/, "") + "/events", here.origin);
  if (main.dataset.position) events.searchParams.set("after", main.dataset.position);

  const refresh = async () => {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(here, { headers, cache: "no-store" });
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(String(answer.status));
    etag = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.querySelector("main");
    if (!next) return;
    const focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : "";
    main.replaceChildren(...next.childNodes);
    document.title = fresh.title;
    show(live);
    if (focused) document.getElementById(focused)?.focus();
    told.textContent = next.dataset.updated || fresh.title;
  };

  const update = () => refresh().catch(() => setTimeout(update, REST_MS));

  const show = (is) => {
    live = is;
    const note = document.getElementById("live");
    if (note) note.hidden = !live;
  };

  let source;
  const listen = () => {
    source = new EventSource(events);
    source.addEventListener("open", () => show(true));
    source.addEventListener("error", () => {
      show(false);
      // A broken connection is tried again by the browser; after a refusal it has given up.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, REST_MS);
    });
    source.addEventListener("moved", (event) => {
      events.searchParams.set("after", event.lastEventId);
      update();
    });
  };
  listen();
  addEventListener("pagehide", () => source.close());
  // Back from the cache of the browser: it may have missed something.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
