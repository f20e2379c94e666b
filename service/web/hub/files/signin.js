// Signing in: a token of this hub, kept on the station. What was scanned for one hub is never sent with another's token.

import { NotAllowed, Service, Unreachable } from "./service.js";
import { unlock } from "./signals.js";
import { $, el, number, t } from "./words.js";

const MEMORIES = ["refused", "acts", "parcels", "connotes"];

const newId = () => [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Whoever is signed in, or will be: { token, station: { publisher, hub, id } }.
export async function enter(store) {
  const settings = store.read("settings");
  const [token, station] = await Promise.all([settings.get("token"), settings.get("station")]);
  if (token && station) return { token, station };
  return ask(store, station);
}

function ask(store, before) {
  const form = $("signin");
  form.hidden = false;
  $("token").focus();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      unlock();
      const token = $("token").value.trim();
      const wrong = (say, values) => {
        $("wrong").textContent = t(`signin.${say}`, values);
      };
      const publisher = await ofToken(token, wrong);
      if (!publisher) return;
      const hub = await choose(publisher.hubs);
      const waiting = await store.read("outbox").count();
      const open = (await store.read("connotes").all()).some((each) => !each.exported && each.members.length);
      const isSame = before && before.publisher === publisher.publisher && before.hub === hub;
      if ((waiting || open) && !isSame) {
        wrong(waiting ? "others" : "open", { hub: before.hub });
        return;
      }
      const station = { publisher: publisher.publisher, hub, id: before?.id ?? newId() };
      await store.change(["settings", ...MEMORIES], async (settings, ...memories) => {
        await settings.put(token, "token");
        await settings.put(station, "station");
        if (!isSame) for (const memory of memories) await memory.clear();
      });
      $("token").value = "";
      form.hidden = true;
      resolve({ token, station });
    });
  });
}

async function ofToken(token, wrong) {
  try {
    const publisher = await new Service(token).station();
    if (publisher?.hubs?.length) return publisher;
    wrong(publisher ? "unbound" : "wrong");
  } catch (error) {
    if (error instanceof NotAllowed) wrong("wrong");
    else if (error instanceof Unreachable) wrong("away");
    else throw error;
  }
  return null;
}

function choose(hubs) {
  if (hubs.length === 1) return hubs[0];
  $("hubs").hidden = false;
  return new Promise((resolve) => {
    const tile = (hub) => el("button", { type: "button", onclick: () => resolve(hub) }, number(hub));
    $("hubs").replaceChildren(...hubs.map(tile));
  });
}
