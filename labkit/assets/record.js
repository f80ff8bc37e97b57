async function record(button, words, most, say, done) {
  // One click begins a recording, the next one ends it, or `most` seconds do; `done` gets it as the bytes of a WAV file:
  // 16,000 samples a second of 16 bits, one channel. Why there is none is told to `say`.
  if (button.end) return button.end();
  button.end = () => {};
  const label = button.textContent, failed = text => { button.end = null; button.textContent = label; say(text) };
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return failed(words.unsafe);
  let stream, recorder, parts = [];
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    recorder = new MediaRecorder(stream);
    recorder.start();
  } catch (error) {
    stream?.getTracks().forEach(track => track.stop());
    return failed({ NotAllowedError: words.refused, SecurityError: words.refused, NotFoundError: words.none }[error.name] ?? words.failed.replace("{}", error.message));
  }
  say("");
  const began = performance.now(), tick = () => {
    const seconds = (performance.now() - began) / 1000;
    button.textContent = words.stop.replace("{}", seconds.toFixed(1));
    if (seconds >= most || !button.isConnected) button.end?.();
  };
  const clock = setInterval(tick, 100);
  tick();
  button.end = () => recorder.state === "recording" && recorder.stop();
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = async () => {
    clearInterval(clock);
    stream.getTracks().forEach(track => track.stop());
    try {
      const data = await new Blob(parts, { type: recorder.mimeType }).arrayBuffer();
      const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(data);  // it resamples as well
      failed("");
      done(wav(sound));
    } catch (error) { failed(words.failed.replace("{}", error.message)) }
  };

  function wav(sound) {
    const n = sound.length, view = new DataView(new ArrayBuffer(44 + 2 * n));
    const letters = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    letters(0, "RIFF"); letters(8, "WAVEfmt "); letters(36, "data");
    for (const [at, value] of [[4, 36 + 2 * n], [16, 16], [24, sound.sampleRate], [28, 2 * sound.sampleRate], [40, 2 * n]]) view.setUint32(at, value, true);
    for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) view.setUint16(at, value, true);
    const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
    for (let i = 0; i < n; i++) {
      const mean = channels.reduce((sum, samples) => sum + samples[i], 0) / channels.length;
      view.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, mean))), true);
    }
    return view.buffer;
  }
}
