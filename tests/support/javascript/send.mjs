// Sends events with the CloudEvents SDK and the transport that comes with it. Arguments: the address and a token; on stdin the
// attributes and data of each event, as JSON. On stdout, for each event and each mode, what the SDK made of it and the answer.

import sdk from "cloudevents";
import { readFileSync } from "node:fs";

const { CloudEvent, Mode, emitterFor, httpTransport } = sdk;
const [url, token] = process.argv.slice(2);
const events = JSON.parse(readFileSync(0, "utf8"));
const said = [];
for (const mode of [Mode.STRUCTURED, Mode.BINARY]) {
  const emit = emitterFor(httpTransport(url), { mode });
  for (const each of events[mode]) {
    const event = new CloudEvent(each);
    const { body } = await emit(event, { headers: { authorization: `Bearer ${token}` } });
    said.push({ mode, id: event.id, time: event.time, answer: JSON.parse(body) });
  }
}
console.log(JSON.stringify(said));
