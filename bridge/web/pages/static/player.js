// The player of one recording. Without it the page has the browser's own controls.
"use strict";

(() => {
  const STEP_S = 5;
  const by = (id) => document.getElementById(id);
  const [player, slider, sound, play, trouble] = ["player", "position", "sound", "play", "trouble"].map(by);
  const [heard, head, now, end] = ["heard", "head", "now", "end"].map(by);
  const width = slider.querySelector("svg").viewBox.baseVal.width;
  // Where the pointer drags to, in seconds; the sound follows when it is let go.
  let dragged = null;
  let frame = 0;

  const told = Number(player.dataset.seconds);
  const length = () => (Number.isFinite(sound.duration) && sound.duration > 0 ? sound.duration : told);
  const place = () => (dragged === null ? sound.currentTime : dragged);
  const within = (seconds) => Math.min(Math.max(seconds, 0), length());

  function clock(seconds) {
    const whole = Math.floor(seconds);
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  function spoken(seconds) {
    const whole = Math.floor(seconds);
    const parts = [[Math.floor(whole / 3600), "hour"], [Math.floor(whole / 60) % 60, "minute"], [whole % 60, "second"]];
    return parts.filter(([n]) => n).map(([n, word]) => `${n} ${word}${n === 1 ? "" : "s"}`).join(" ") || "0 seconds";
  }

  function draw() {
    const at = length() ? (place() / length()) * width : 0;
    heard.setAttribute("width", at);
    head.setAttribute("x1", at);
    head.setAttribute("x2", at);
    now.textContent = clock(place());
    end.textContent = clock(length());
  }

  // Apart from drawing: a screen reader says each change while the slider has the focus.
  function tell() {
    slider.setAttribute("aria-valuemax", Math.floor(length()));
    slider.setAttribute("aria-valuenow", Math.floor(place()));
    slider.setAttribute("aria-valuetext", `${spoken(place())} of ${spoken(length())}`);
  }

  function follow() {
    draw();
    frame = sound.paused ? 0 : requestAnimationFrame(follow);
  }

  function seek(seconds) {
    sound.currentTime = within(seconds);
    draw();
    tell();
  }

  function fail() {
    trouble.textContent = "The recording cannot be loaded. Reload the page to try again; the link may have expired.";
  }

  function toggle() {
    if (sound.paused) {
      // A play that a pause overtakes is no trouble.
      sound.play().catch((error) => error.name === "AbortError" || fail());
    } else {
      sound.pause();
    }
  }

  function showState() {
    player.classList.toggle("playing", !sound.paused);
    play.setAttribute("aria-label", sound.paused ? "Play" : "Pause");
    tell();
    if (!frame) follow();
  }

  const keys = {
    ArrowLeft: () => seek(place() - STEP_S),
    ArrowDown: () => seek(place() - STEP_S),
    ArrowRight: () => seek(place() + STEP_S),
    ArrowUp: () => seek(place() + STEP_S),
    PageDown: () => seek(place() - 6 * STEP_S),
    PageUp: () => seek(place() + 6 * STEP_S),
    Home: () => seek(0),
    End: () => seek(length()),
    " ": toggle,
  };
  // What they do to the whole page elsewhere stays as it is, unless the slider has the focus.
  const onlyOnSlider = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown"]);

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target !== slider && onlyOnSlider.has(event.key)) return;
    if (target.matches("input") && event.key !== " " && !/^[0-9]$/.test(event.key)) return;
    if (event.key === " " && target.closest("button, a")) return;
    const act = /^[0-9]$/.test(event.key) ? () => seek((length() * Number(event.key)) / 10) : keys[event.key];
    if (!act || (event.key === " " && event.repeat)) return;
    event.preventDefault();
    act();
  });

  function pointed(event) {
    const box = slider.getBoundingClientRect();
    return within(((event.clientX - box.left) / box.width) * length());
  }

  slider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    slider.setPointerCapture(event.pointerId);
    dragged = pointed(event);
    draw();
  });
  slider.addEventListener("pointermove", (event) => {
    if (dragged === null) return;
    dragged = pointed(event);
    draw();
  });
  slider.addEventListener("pointerup", (event) => {
    if (dragged === null) return;
    dragged = null;
    seek(pointed(event));
  });
  slider.addEventListener("pointercancel", () => {
    dragged = null;
    draw();
  });

  play.addEventListener("click", toggle);
  by("back").addEventListener("click", () => seek(place() - STEP_S));
  by("on").addEventListener("click", () => seek(place() + STEP_S));
  by("speeds").addEventListener("change", (event) => {
    sound.playbackRate = Number(event.target.value);
  });

  for (const name of ["play", "pause", "ended"]) sound.addEventListener(name, showState);
  for (const name of ["loadedmetadata", "durationchange", "seeked"]) {
    sound.addEventListener(name, () => {
      draw();
      tell();
    });
  }
  sound.addEventListener("timeupdate", () => {
    if (document.activeElement !== slider) tell();
  });
  sound.addEventListener("error", fail);
  if (sound.error) fail();

  // Going back to the page, a browser may have kept the choice.
  const chosen = document.querySelector("input[name=speed]:checked");
  if (chosen) sound.playbackRate = Number(chosen.value);
  sound.preservesPitch = true;
  sound.controls = false;
  sound.hidden = true;
  player.hidden = false;
  showState();
})();
