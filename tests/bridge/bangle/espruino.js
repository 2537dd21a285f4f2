// What the app uses of a Bangle.js, for any JavaScript engine: time stands still but for watch.poll().
var watch = {
  time: 1000, interval: 80, polls: 0, console: "Bluetooth", sent: [], registers: { 0x18: 0xAC, 0x1B: 0 },
  listeners: {}, timers: {}, timer: 0, powerSave: true,
  on: function (name, f) { (watch.listeners[name] = watch.listeners[name] || []).push(f); },
  off: function (name, f) { watch.listeners[name] = (watch.listeners[name] || []).filter(function (g) { return g !== f; }); },
  emit: function (name, value) { (watch.listeners[name] || []).slice().forEach(function (f) { f(value); }); },
  // The sensor is polled; busy: JavaScript was, so that nobody hears of it. Each poll has its number in x and y.
  poll: function (busy) {
    watch.time += watch.interval / 1000;
    var heard = watch.listeners.accel && watch.listeners.accel.length;
    if (heard && !busy) watch.emit("accel", { x: (watch.polls % 8000) / 8192, y: Math.floor(watch.polls / 8000) / 8192, z: -1 });
    if (heard) watch.polls++;
  },
  link: function (up) {
    if (up) watch.console = "Bluetooth";
    else watch.emit("disconnect", 19);
  }
};
function emitter(prefix) {
  return {
    on: function (name, f) { watch.on(prefix + name, f); },
    removeListener: function (name, f) { watch.off(prefix + name, f); }
  };
}
var Bluetooth = emitter("");
Bluetooth.write = function (text) { watch.sent.push(text); };
var NRF = emitter("");
NRF.getAddress = function () { return "c0:ff:ee:00:12:34"; };
var Bangle = emitter("");
Bangle.setPollInterval = function (ms) { watch.interval = ms; watch.powerSave = false; };
Bangle.setOptions = function (options) { watch.powerSave = options.powerSave; };
Bangle.accelWr = function (register, value) { watch.registers[register] = value; };
Bangle.accelRd = function (register) { return watch.registers[register]; };
if ("undefined" == typeof E) global.E = { toString: function (a) { return String.fromCharCode.apply(null, a); } };
E.hwRand = function () { return -559038737; };
E.setConsole = function (device) { watch.console = device; };
E.on = function (name, f) { watch.on(name, f); };
E.showMessage = function (text) { watch.message = text; };
global.getTime = function () { return watch.time; };
global.setTimeout = function (f) { watch.timers[++watch.timer] = f; return watch.timer; };
global.clearTimeout = function (id) { delete watch.timers[id]; };
process.env.BOARD = "BANGLEJS2";
