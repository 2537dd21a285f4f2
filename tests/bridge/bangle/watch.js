// A Bangle.js for a test: the console of Espruino, as far as it matters, on node. It is told, line by line,
// "link 1", "rx <hex>", "poll <times> <of these, busy>", "eval <text>", "step"; it answers with what it sends.
"use strict";
const fs = require("fs"), vm = require("vm"), readline = require("readline");
const BUFFER = 2048, XOFF = BUFFER * 3 / 8, XON = BUFFER / 8, STEP = 96;
vm.runInThisContext(fs.readFileSync(__dirname + "/espruino.js", "latin1"));
const watch = vm.runInThisContext("watch");
let input = [], line = "", silent = false, escaped = false, held = false, overflowed = 0;

const say = (text) => watch.sent.push(text);
const deep = (text) => (text.match(/[({[]/g) || []).length > (text.match(/[)}\]]/g) || []).length;

function execute() {
  let answer = "";
  try {
    answer = "=" + vm.runInThisContext(line) + "\r\n";
  } catch (error) {
    silent = false;
    answer = "Uncaught " + error + "\r\n";
  }
  if (!silent) say(answer + ">");
  line = "";
  silent = false;
}

function type(c) {
  if (escaped) {
    escaped = false;
    line += c === "\n" ? "\n" : "";
  } else if (c === "\x10") silent = silent || line === "";
  else if (c === "\x1b") escaped = true;
  else if (c === "\x03") line = "", silent = false;
  else if (c === "\n" && !deep(line)) execute();
  else if (c >= " " || c === "\n") {
    line += c;
    if (!silent) say(c);
  }
}

function step() {
  for (const c of input.splice(0, STEP)) {
    if (watch.console === "Bluetooth") type(c);
    else watch.emit("data", c);
  }
  if (held && input.length < XON) held = false, say("\x11");
}

const commands = {
  link: (up) => {
    input = [], line = "", silent = held = false;
    watch.link(up === "1");
  },
  rx: (hex) => {
    for (const byte of Buffer.from(hex, "hex")) {
      if (input.length < BUFFER) input.push(String.fromCharCode(byte));
      else overflowed++;
    }
    if (!held && input.length > XOFF) held = true, say("\x13");
  },
  poll: (times, busy) => {
    for (let n = 0; n < times; n++) watch.poll(n >= times - busy);
  },
  step: step,
};

readline.createInterface({ input: process.stdin }).on("line", (text) => {
  const [name, ...values] = text.split(" ");
  let answer = "";
  if (name === "eval") answer = JSON.stringify(vm.runInThisContext(values.join(" "))) || "null";
  else commands[name](...values);
  const sent = watch.sent.splice(0).join("");
  console.log(JSON.stringify([answer, Buffer.from(sent, "latin1").toString("hex"), watch.polls, overflowed]));
});
