// A network that is cut, and a fetch that comes back to where it was.
import net from "node:net";

/** A loopback proxy; it destroys its first connections after as many bytes of the answer as `cuts` say. */
export async function proxy(target, cuts) {
  const { hostname, port } = new URL(target);
  const left = [...cuts];
  let severed = 0;
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname);
    let bytes = left.length ? left.shift() : Infinity;
    client.pipe(upstream);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    upstream.on("data", (chunk) => {
      client.write(chunk.subarray(0, bytes));
      bytes -= chunk.length;
      if (bytes <= 0) {
        severed += 1;
        upstream.destroy();
        client.end();
      }
    });
    upstream.on("end", () => client.end());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    severed: () => severed,
    close: () => server.close(),
  };
}

/** Hands out whole events only; where the connection is cut it asks again for those after the last. */
export function resuming(url, init) {
  let last = "0";
  const events = async function* () {
    for (;;) {
      try {
        const headers = { ...init.headers, "Last-Event-ID": last };
        const response = await fetch(url, { ...init, headers });
        if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
        let text = "";
        for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
          text += piece;
          const whole = text.split("\n\n");
          text = whole.pop();
          for (const event of whole) {
            last = /^id: (\d+)$/m.exec(event)?.[1] ?? last;
            yield `${event}\n\n`;
            if (/"type":"RUN_(FINISHED|ERROR)"/.test(event)) return;
          }
        }
      } catch (error) {
        if (!["fetch failed", "terminated"].includes(error.message)) throw error;
      }
    }
  };
  const body = ReadableStream.from(events()).pipeThrough(new TextEncoderStream());
  return Promise.resolve(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
}
