// Talks to /api/agent as AG-UI clients do and prints what they end with: client.mjs URL THREAD
import { HttpAgent } from "@ag-ui/client";
import { proxy, resuming } from "./network.mjs";

const [base, threadId] = process.argv.slice(2);
const warnings = [];
console.warn = (...words) => warnings.push(words.join(" "));
console.error = () => {}; // a run that is cut off
// the client cancels a body that was cut off, and lets what that throws go unheard
process.on("unhandledRejection", (error) => {
  if (error.message !== "terminated") throw error;
});

const SEARCH = "run a search with 10 trials, 100 paths, 1 year";

/** One client, through a network of its own, and what it saw. */
async function client(name, cuts, fetch) {
  const network = await proxy(base, cuts);
  const agent = new HttpAgent({ url: `${network.url}/api/agent`, threadId, ...(fetch && { fetch }) });
  const seen = [];
  agent.subscribe({ onEvent: ({ event }) => void seen.push(event.type) });
  return { name, agent, network, seen };
}

/** Asks until the run ends; a client that was cut off asks again with the same run. */
async function run({ agent }, parameters) {
  for (;;) {
    try {
      return await agent.runAgent(parameters);
    } catch (error) {
      if (!/terminated|fetch failed|aborted|other side closed/.test(`${error.message} ${error.cause?.message}`)) throw error;
    }
  }
}

const clients = [
  await client("uncut", []),
  await client("resuming", [5000, 9000], resuming),
  await client("repeating", [6000, 11000]),
];

const rounds = [];
async function round(parameters, message) {
  for (const { agent, seen } of clients) {
    seen.length = 0;
    if (message) agent.messages = [...agent.messages, structuredClone(message)];
  }
  const results = await Promise.all(clients.map((each) => run(each, structuredClone(parameters))));
  rounds.push(
    clients.map(({ name, agent, network, seen }, place) => ({
      name,
      cuts: network.severed(),
      types: [...seen],
      result: results[place].result ?? null,
      messages: agent.messages,
      state: agent.state,
      interrupts: agent.pendingInterrupts,
    })),
  );
}

await round({ runId: "search" }, { id: "message-1", role: "user", content: SEARCH });
await round({ runId: "holdout" }, { id: "message-2", role: "user", content: "open the holdout" });
const resume = clients[0].agent.pendingInterrupts.map(({ id }) => ({
  interruptId: id,
  status: "resolved",
  payload: { verdict: "approved" },
}));
await round({ runId: "approved", resume });

for (const { network } of clients) network.close();
process.stdout.write(JSON.stringify({ warnings, rounds }));
