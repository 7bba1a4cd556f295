// Pictures, short videos and voices on their way up: checked here before they go, and sent with progress.
import { ApiError } from "./api";
import { keepLinks, type Stored } from "./media";

export interface Uploaded {
  media: string;
  kind: "image" | "video" | "voice";
  width?: number;
  height?: number;
  duration_ms?: number;
}
export interface MediaLimits {
  image_bytes: number;
  video_bytes: number;
  video_ms: number;
}
export const PICTURE_ACCEPT = "image/jpeg,image/png,image/webp,image/gif";
export const VIDEO_ACCEPT = "video/mp4,video/webm,video/quicktime";

/** Width, height and length as the browser sees them; rejects with ApiError where it cannot show the file. */
export function inspect(file: File, limits: MediaLimits): Promise<{ kind: "image" | "video"; width: number; height: number; durationMs: number }> {
  const kind = file.type.startsWith("video/") ? "video" : file.type.startsWith("image/") ? "image" : null;
  if (!kind) return Promise.reject(new ApiError("media.wrong_type", 0));
  if (file.size > (kind === "image" ? limits.image_bytes : limits.video_bytes))
    return Promise.reject(new ApiError(kind === "image" ? "media.image_too_big" : "media.video_too_big", 0));
  const url = URL.createObjectURL(file);
  return new Promise<{ kind: "image" | "video"; width: number; height: number; durationMs: number }>((done, failed) => {
    const wrong = () => failed(new ApiError("media.unreadable", 0));
    if (kind === "image") {
      const image = new Image();
      image.onload = () => done({ kind, width: image.naturalWidth, height: image.naturalHeight, durationMs: 0 });
      image.onerror = wrong;
      image.src = url;
    } else {
      const video = document.createElement("video");
      video.preload = "metadata";
      video.onloadedmetadata = () => {
        // A recording made by a browser does not tell its length; the server finds it out.
        const durationMs = Number.isFinite(video.duration) ? Math.round(video.duration * 1000) : 0;
        if (durationMs > limits.video_ms) failed(new ApiError("media.video_too_long", 0));
        else done({ kind, width: video.videoWidth, height: video.videoHeight, durationMs });
      };
      video.onerror = wrong;
      video.src = url;
    }
  }).finally(() => URL.revokeObjectURL(url));
}

/** One frame of a video as a picture: the server shows it in place of the video. */
function poster(file: File): Promise<Blob> {
  const url = URL.createObjectURL(file);
  const video = document.createElement("video");
  return new Promise<Blob>((done, failed) => {
    const wrong = () => failed(new ApiError("media.unreadable", 0));
    const draw = () => {
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d")?.drawImage(video, 0, 0);
      canvas.toBlob((blob) => (blob ? done(blob) : wrong()), "image/jpeg", 0.8);
    };
    video.muted = true;
    video.preload = "auto";
    video.onerror = wrong;
    video.onseeked = draw;
    video.onloadeddata = () => (video.currentTime = Math.min(0.5, video.duration / 2));
    video.src = url;
  }).finally(() => {
    video.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
}

/** Send a file; `progress` hears 0..1; `shop` is named by who has several. Rejects with ApiError. */
export async function upload(
  file: File,
  token: string | null,
  progress: (share: number) => void,
  shop?: string,
): Promise<Uploaded> {
  const form = new FormData();
  form.append("file", file);
  if (file.type.startsWith("video/")) form.append("poster", await poster(file), "poster.jpg");
  if (shop) form.append("shop", shop);
  const stored = await post(form, token, progress);
  keepLinks(stored);
  return {
    media: stored.id,
    kind: stored.kind,
    width: stored.width,
    height: stored.height,
    ...(stored.duration_ms === null ? {} : { duration_ms: stored.duration_ms }),
  };
}

function post(form: FormData, token: string | null, progress: (share: number) => void): Promise<Stored> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/media");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => failed(new ApiError("network.away", 0));
    request.onload = () => {
      let said: Record<string, unknown> = {};
      try {
        said = JSON.parse(request.responseText) as Record<string, unknown>;
      } catch {
        // an answer that is not ours; the status says enough
      }
      if (request.status < 300) done(said as unknown as Stored);
      else failed(new ApiError(String(said.code ?? "server.trouble"), request.status, String(said.detail ?? "")));
    };
    request.send(form);
  });
}
