// The hub one writes with Socket.IO: node server.mjs <memory|streams|insert> <port>, stores by environment.
//
// memory: nothing is kept, the connection state recovery of the library is on. streams: the adapter on Valkey streams.
// insert: a row and its commit in PostgreSQL before the acknowledgement. A token is "<thread>:<side>", unchecked.

import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { Server } from "socket.io";

const [mode, port] = process.argv.slice(2);
const options = {
  transports: ["websocket"],
  perMessageDeflate: false,
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
};
if (mode === "streams") {
  const { createClient } = await import("redis");
  const { createAdapter } = await import("@socket.io/redis-streams-adapter");
  const [, password, path] = /^unix:\/\/:(.*)@(.*)\?/.exec(process.env.WANGXIN_VALKEY_URL);
  const client = createClient({ password, socket: { path } });
  await client.connect();
  options.adapter = createAdapter(client);
}
let keep = async () => true;
if (mode === "insert") {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({ connectionString: process.env.WANGXIN_POSTGRES_URL, max: 20 });
  const text =
    "insert into peer_message (thread, client_msg_id, sender, body) values ($1, $2, $3, $4) on conflict do nothing";
  keep = async (thread, side, frame) =>
    pool.query({ name: "keep", text, values: [thread, frame.client_msg_id, side, JSON.stringify(frame.body)] });
}

const http = createServer();
const io = new Server(http, options);
io.on("connection", (socket) => {
  const [thread, side] = socket.handshake.auth.token.split(":");
  socket.join(thread);
  socket.on("message.send", async (frame, answer) => {
    const at = new Date().toISOString();
    await keep(thread, side, frame);
    const entry = { id: randomUUID(), thread, at, sender: side, client_msg_id: frame.client_msg_id, body: frame.body };
    socket.to(thread).emit("message.new", { type: "message.new", entry });
    answer({ type: "ack", thread, client_msg_id: frame.client_msg_id, at });
  });
  socket.emit("welcome", { type: "welcome", threads: [{ thread, public_seq: 0 }] });
  socket.emit("live", { type: "live" });
});
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
