// What is said into the microphone, as a file. The microphone is let go whatever happens.

export const VOICE_MS_MAX = 60_000;
/** Shorter was a slip of the finger. */
export const VOICE_MS_MIN = 700;
const BITS_PER_SECOND = 32_000;
/** MP4 plays everywhere; WebM is what most browsers write. */
const FORMS = ["audio/mp4;codecs=mp4a.40.2", "audio/webm;codecs=opus", "audio/mp4", "audio/webm"];

export class Recording {
  private parts: Blob[] = [];
  private readonly sounds = new AudioContext();
  private readonly ear = this.sounds.createAnalyser();
  private readonly heard: Uint8Array<ArrayBuffer>;
  private readonly began = performance.now();
  private until = 0;

  private constructor(
    private readonly stream: MediaStream,
    private readonly recorder: MediaRecorder,
  ) {
    this.ear.fftSize = 512;
    this.heard = new Uint8Array(this.ear.fftSize);
    this.sounds.createMediaStreamSource(stream).connect(this.ear);
    recorder.ondataavailable = (event) => this.parts.push(event.data);
    recorder.start(1_000);
  }

  /** Asks for the microphone. Rejects with DOMException: NotAllowedError, NotFoundError and others. */
  static async begin(): Promise<Recording> {
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    const form = "MediaRecorder" in window ? FORMS.find((one) => MediaRecorder.isTypeSupported(one)) : undefined;
    if (!devices || !form) throw new DOMException("this browser does not record", "NotFoundError");
    const stream = await devices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
    try {
      return new Recording(stream, new MediaRecorder(stream, { mimeType: form, audioBitsPerSecond: BITS_PER_SECOND }));
    } catch (trouble) {
      stream.getTracks().forEach((track) => track.stop());
      throw trouble;
    }
  }

  get ms(): number {
    return Math.min(VOICE_MS_MAX, (this.until || performance.now()) - this.began);
  }

  /** How loud it is just now, 0 to 1. */
  level(): number {
    this.ear.getByteTimeDomainData(this.heard);
    return Math.min(1, Math.max(...this.heard.map((one) => Math.abs(one - 128))) / 90);
  }

  /** No more is recorded; what was said can still be had. */
  async stop(): Promise<void> {
    if (this.until) return;
    this.until = performance.now();
    if (this.recorder.state !== "inactive")
      await new Promise((done) => {
        this.recorder.onstop = done;
        this.recorder.stop();
      });
    this.stream.getTracks().forEach((track) => track.stop());
    void this.sounds.close();
  }

  file(): File {
    const [mime = ""] = this.recorder.mimeType.split(";");
    return new File(this.parts, mime === "audio/mp4" ? "voice.m4a" : "voice.webm", { type: mime });
  }
}
