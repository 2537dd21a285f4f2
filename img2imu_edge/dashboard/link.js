// The link to the server, and the clock of drawing.
const REFUSED = 4403, FULL = 4429, DEAF_MS = 10000, FRAME_MS = 30;
const main = document.querySelector("main"), notice = document.querySelector("#notice");
let cards = [], link = null, clockOffset = 0, heard = 0, wait = 500, refused = false;

// The token comes behind the address' #; it is kept for reloads, and taken off the screen.
function takeToken() {
  if (location.hash.length > 1) {
    sessionStorage.setItem("token", location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

function connect() {
  refused = false;
  const token = takeToken(), scheme = location.protocol === "https:" ? "wss" : "ws";
  const protocols = ["img2imu.v1", ...(/^[a-z0-9]+$/i.test(token) ? ["token." + token] : [])];
  const socket = new WebSocket(`${scheme}://${location.host}/live`, protocols);
  socket.binaryType = "arraybuffer";
  link = socket;
  heard = performance.now();
  const watch = setInterval(() => performance.now() - heard > DEAF_MS && lost(0), 1000);
  function lost(code) {
    clearInterval(watch);
    socket.onmessage = socket.onclose = null;
    socket.close();
    main.className = "stale";
    refused = code === REFUSED;
    if (refused) {
      notice.textContent = "The token is missing or no longer valid: open the address that img2imu printed.";
      return;
    }
    notice.textContent = code === FULL ? "Too many browsers watch already; trying again …" : "No connection to img2imu; trying again …";
    setTimeout(connect, wait);
    wait = Math.min(wait * 1.5, 5000);
  }
  socket.onclose = event => lost(event.code);
  socket.onmessage = ({data}) => {
    heard = performance.now();
    if (typeof data === "string") told(JSON.parse(data)); else took(data);
  };
}
addEventListener("hashchange", () => refused ? connect() : takeToken());

function told(message) {
  const card = cards[message.index];
  if (message.type === "hello") {
    clockOffset = Date.now() / 1000 - message.now;
    wait = 500;
    cards = [];
    questions.forget();
    main.replaceChildren();
    main.className = notice.textContent = "";
  } else if (message.type === "wearable") {
    cards[message.index] = new Card(message);
  } else if (message.type === "decision") {
    card.decide(message);
  } else if (message.type === "stats") {
    card.link(message);
  } else if (message.type === "why") {
    questions.answered(message);
  }
}

function took(buffer) {
  const [kind, index, count, height] = new Uint32Array(buffer, 0, 4);
  if (kind === 1) cards[index].addColumns(buffer, count, height);
  else cards[index].addSamples(new Float32Array(buffer, 16), count);
}

let drawn = 0;
function frame(now) {
  if (now - drawn > FRAME_MS) {
    for (const card of cards) card?.draw(now - drawn);
    drawn = now;
  }
  requestAnimationFrame(frame);
}
connect();
requestAnimationFrame(frame);
