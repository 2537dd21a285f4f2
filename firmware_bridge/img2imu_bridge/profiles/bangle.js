// The img2imu wire protocol on a Bangle.js: counted, timed samples of its accelerometer over the Nordic UART.
// The host sends this text when it connects, and nothing stays on the watch; or install it as an app, see
// firmware/examples/bangle. The wire's bytes are described in PROTOCOL.md. SPDX-License-Identifier: Apache-2.0
global.img2imu = (function () {
  var G = 8192;         // counts in 1 g, at +-4 g
  var TICKS = 32768;    // of the clock in a second, as of the watch's crystal
  var LINGER = 600000;  // ms to go on counting for a host that went away
  var MOST = 15;        // samples in a message: its frame fits the watch's transmit buffer
  var installed = "img2imu.app.js" == global.__FILE__;
  var bootId = E.hwRand() >>> 0;
  var buffer = new ArrayBuffer(8 + 6 * MOST), data = new DataView(buffer);
  var crcs = new Uint16Array(256);
  var attached = false, streaming = false;
  var rate = 50, poll = 20;          // Hz, ms
  var next = 0, used = 0, want = 10; // number of the next sample; samples in the message, and when it is full
  var zero = getTime(), seen = zero; // s: the clock's zero, and when it was read last
  var grid = 0;                      // s: when the sensor was polled last, as far as is known
  var heard = "", registers, linger;

  data.setUint8(0, 0x12);
  for (var i = 0; i < 256; i++) {
    var c = i << 8;
    for (var j = 0; j < 8; j++) c = c & 0x8000 ? c << 1 ^ 0x1021 : c << 1;
    crcs[i] = c;
  }

  function crc(text) {
    var c = 0xFFFF;
    for (var i = 0; i < text.length; i++) c = c << 8 & 0xFF00 ^ crcs[c >> 8 ^ text.charCodeAt(i)];
    return String.fromCharCode(c & 255, c >> 8);
  }

  function send(message) {
    if (!attached) return;
    // COBS: each run between zeros gets its length plus one in front; no run is as long as 254 here.
    Bluetooth.write((message + crc(message)).split("\0").map(function (run) {
      return String.fromCharCode(run.length + 1) + run;
    }).join("") + "\0");
  }

  // Little-endian, of any size: 32 bits are the most that bit operations have.
  function number(value, size) {
    var text = "";
    for (; size; size--) {
      text += String.fromCharCode(value % 256);
      value = Math.floor(value / 256);
    }
    return text;
  }

  // The clock never goes back, and does not jump when somebody sets the watch.
  function now() {
    var time = getTime(), step = time - seen;
    if (step < 0 || step > 3600) {
      zero += step;
      grid += step;
    }
    seen = time;
    return time;
  }

  function ticks(time) {
    return Math.floor((time - zero) * TICKS);
  }

  function flush() {
    if (used) send(E.toString(new Uint8Array(buffer, 0, 8 + 6 * used)));
    used = 0;
  }

  function sayInfo() {
    flush();
    var name = "Bangle.js " + NRF.getAddress().substr(-5).replace(":", "");
    var body = number(bootId, 4) + number(ticks(now()), 8) + number(next, 8) + number(TICKS, 4) +
      number(Math.round(1000000 / poll), 4) + String.fromCharCode(streaming ? 1 : 0, 1, 1, 3) +
      number(980665, 4) + number(G * 100000, 4) + String.fromCharCode(name.length) + name;
    send("\x11\x80" + body + crc(body));
  }

  function onAccel(a) {
    // Polls that found JavaScript busy were lost, and are counted: this many since the last one.
    var time = now(), polls = Math.max(1, Math.floor((time - grid) * 1000 / poll + 0.25));
    if (grid && polls > 1) {
      flush();
      next += polls - 1;
    }
    grid = grid ? Math.min(time, grid + polls * poll / 1000 + (time - grid) * 0.01) : time;
    if (!used) {
      data.setUint16(2, next % 65536, true);
      data.setUint32(4, ticks(time) % 4294967296, true);
    }
    data.setInt16(8 + 6 * used, a.x * G, true);
    data.setInt16(10 + 6 * used, a.y * G, true);
    data.setInt16(12 + 6 * used, a.z * G, true);
    next++;
    if (++used >= want) flush();
  }

  // The sensor runs four times as fast, with its filter at 0.44 of our rate: each poll, paced by the watch's
  // crystal, finds something new. Registers of the KX023 in both watches: ODCNTL, and CNTL1, which stops it.
  function pace(on) {
    var known = "BANGLEJS" == process.env.BOARD || "BANGLEJS2" == process.env.BOARD;
    if (known && !registers) registers = [Bangle.accelRd(0x18), Bangle.accelRd(0x1B)];
    if (known) {
      Bangle.accelWr(0x18, registers[0] & 127);
      Bangle.accelWr(0x1B, on ? Math.ceil(Math.log(80 / poll) / Math.LN2) + 2 : registers[1]);
      Bangle.accelWr(0x18, on ? 0xEC : registers[0]); // full resolution, data-ready, 4 g, taps
    }
    Bangle.setPollInterval(on ? poll : 80);
    if (!on) Bangle.setOptions({ powerSave: true });
  }

  function stream(on) {
    if (on == streaming) return;
    streaming = on;
    grid = 0;
    pace(on);
    if (on) Bangle.on("accel", onAccel);
    else Bangle.removeListener("accel", onAccel);
  }

  function setRate(hertz) {
    if (!(hertz >= 12.5 && hertz <= 100)) return false;
    poll = Math.round(1000 / hertz);
    want = Math.min(MOST, Math.ceil(200 / poll));
    if (streaming) pace(true);
    grid = 0;
    return true;
  }

  function obey(message) {
    var kind = message.charCodeAt(0), id = message[1], code = 0, began = false;
    if (message.length < 2 || kind < 0x18 || kind > 0x1F) return;
    if (kind == 0x18) return sayInfo();
    flush();
    if (kind == 0x19) {
      began = !streaming;
      stream(true);
    } else if (kind == 0x1A) {
      stream(false);
    } else if (kind == 0x1B) {
      var hertz = 0;
      for (var i = 5; i > 1; i--) hertz = hertz * 256 + (message.charCodeAt(i) || 0);
      began = setRate(hertz / 1000);
      code = began ? 0 : 2;
    } else code = 1;
    send("\x13" + message[0] + id + String.fromCharCode(code));
    if (began) sayInfo();
  }

  function onData(text) {
    heard += text;
    for (var end; (end = heard.indexOf("\0")) >= 0; heard = heard.substr(end + 1)) {
      var frame = heard.substr(0, end), message = "", at = 0;
      for (; at < frame.length; at += frame.charCodeAt(at)) {
        message += "\0" + frame.substr(at + 1, frame.charCodeAt(at) - 1);
      }
      message = message.substr(1);
      var body = message.substr(0, message.length - 2);
      if (at == frame.length && body.length && crc(body) == message.substr(-2)) obey(body);
    }
    if (heard.length > 64) heard = "";
  }

  // The line is the protocol's from here until the host is gone; then the watch makes it a console again.
  function attach(hertz) {
    if (hertz && !streaming) setRate(hertz);
    if (linger) linger = clearTimeout(linger);
    E.setConsole(null);
    heard = "";
    attached = true;
    Bluetooth.removeListener("data", onData);
    Bluetooth.on("data", onData);
    Bluetooth.write("\0");
    sayInfo();
  }

  function onDisconnect() {
    if (!attached) return;
    attached = false;
    used = 0;
    Bluetooth.removeListener("data", onData);
    if (installed) return;
    if (streaming) linger = setTimeout(quit, LINGER);
    else quit();
  }

  function quit() {
    stream(false);
    NRF.removeListener("disconnect", onDisconnect);
    delete global.img2imu;
  }

  NRF.on("disconnect", onDisconnect);
  if (installed) {
    E.showMessage("img2imu\nConnect to me.\nHold the button to leave.");
    E.on("kill", quit);
  }
  return { attach: attach };
})();
