// What a scan means and whether it makes sense: pure functions of what is known. See the contract, section 3.3.
//
// `found` is what the service says of a scanned code ({ items, not_ours }), or null where nobody could be asked. Each answers
// with { signal, say, values, parcel, does }: the colour, the words, and whether it is to be recorded.

export const GOOD = "good";
export const LOOK = "look"; // recorded or not, somebody should read what is said
export const STOP = "stop";
export const KEPT = "kept"; // recorded, and nobody could say whether it makes sense

const NO_HUB = "first_mile_only";

const told = (signal, say, parcel, values = {}, does = signal === GOOD) => ({ signal, say, parcel, values, does });

// The one parcel that is meant, or what there is to say instead.
export function meant(found) {
  if (found.not_ours) return told(STOP, "not_ours", null);
  if (!found.items.length) return told(STOP, "unknown", null);
  const here = found.items.filter((each) => each.route !== NO_HUB);
  if (!here.length) return told(STOP, "not_ours", found.items[0]);
  // A recycled number: the one that is not through with hubs.
  const open = here.filter((each) => !each.exported && !each.rejected);
  const [parcel, ...others] = open.length || here.length > 1 ? open : here;
  return parcel && !others.length ? { parcel } : told(STOP, "several", null);
}

const ended = (parcel) => {
  if (parcel.exported) return told(STOP, "exported", parcel, { connote: parcel.connote ?? "" });
  if (parcel.rejected) return told(STOP, "rejected_before", parcel, done(parcel.rejected));
  return null;
};

const done = ({ at, hub }) => ({ at, hub: hub ?? "" });

export function receive(found, hub) {
  if (!found) return told(KEPT, "kept", null, {}, true);
  const one = meant(found);
  if (one.say === "unknown") return { ...one, does: true }; // it is here, whatever it is: it waits for its creation
  if (one.say) return one;
  const { parcel } = one;
  if (parcel.exported || parcel.rejected) return ended(parcel);
  if (parcel.processed) return told(LOOK, "processed_before", parcel, done(parcel.processed));
  if (!parcel.received) return told(GOOD, "received", parcel);
  if (parcel.received.hub === hub) return told(LOOK, "received_before", parcel, done(parcel.received));
  return told(LOOK, "received_elsewhere", parcel, done(parcel.received), true);
}

export function process(found) {
  if (!found) return told(KEPT, "open_kept", null, {}, true);
  const one = meant(found);
  if (one.say) return one;
  const { parcel } = one;
  if (parcel.exported || parcel.rejected) return ended(parcel);
  if (parcel.processed) return told(LOOK, "processed_before", parcel, done(parcel.processed));
  return told(GOOD, "open", parcel);
}

export const goesTo = ({ retailer, destination_country }) => [retailer, destination_country].filter(Boolean).join(" · ");

// Where the parcels of a connote go is where its first one goes, whoever exported it.
export const hasPlace = (connote) => Boolean(connote.members.length || connote.before);

export const isOneWay = (one, other) => one.retailer === other.retailer && one.destination_country === other.destination_country;

// `connote` is the open one; `others` are all that are not exported.
export function consolidate(found, connote, others) {
  if (!found) return told(STOP, "unchecked", null);
  const one = meant(found);
  if (one.say) return one;
  const { parcel } = one;
  if (parcel.exported || parcel.rejected) return ended(parcel);
  if (!parcel.processed) return told(STOP, "unprocessed", parcel);
  const holder = others.find((each) => each.members.includes(parcel.return_id));
  if (holder?.connote === connote.connote) return told(LOOK, "packed_before", parcel);
  if (holder) return told(STOP, "packed_elsewhere", parcel, { connote: holder.connote });
  if (hasPlace(connote) && !isOneWay(connote, parcel)) return told(STOP, "destination", parcel, { place: goesTo(parcel), other: goesTo(connote) });
  return told(GOOD, "packed", parcel, { count: connote.members.length + 1 });
}
