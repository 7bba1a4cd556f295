// Pictures and short videos: checked here before they go up, sent with progress, shown by links that expire.
import { api, ApiError, errorText } from "./api";

export interface Uploaded {
  media: string;
  kind: "image" | "video";
  width?: number;
  height?: number;
  duration_ms?: number;
}
export interface MediaLimits {
  image_bytes: number;
  video_bytes: number;
  video_ms: number;
}
export type Variant = "full" | "thumb" | "poster";

export const MEDIA_ACCEPT = "image/jpeg,image/png,image/webp,image/gif,video/mp4,video/webm,video/quicktime";

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
        const durationMs = Math.round(video.duration * 1000);
        if (durationMs > limits.video_ms) failed(new ApiError("media.video_too_long", 0));
        else done({ kind, width: video.videoWidth, height: video.videoHeight, durationMs });
      };
      video.onerror = wrong;
      video.src = url;
    }
  }).finally(() => URL.revokeObjectURL(url));
}

/** Send a file; `progress` hears 0..1. Rejects with ApiError. */
export function upload(file: File, token: string | null, progress: (share: number) => void): Promise<Uploaded> {
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
      if (request.status < 300) done(said as unknown as Uploaded);
      else failed(new ApiError(String(said.code ?? "server.trouble"), request.status, String(said.detail ?? "")));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

const links = new Map<string, { url: string; until: number }>();

/** A link to an upload that the page may show; kept until shortly before it expires. */
export async function mediaLink(media: string, variant: Variant, as?: string | null): Promise<string> {
  const key = `${media}/${variant}`;
  const held = links.get(key);
  if (held && held.until > Date.now()) return held.url;
  const answer = await api.get<{ url: string; expires_ms?: number }>(`/media/${media}/link`, { query: { variant }, as });
  links.set(key, { url: answer.url, until: (answer.expires_ms ?? Date.now() + 8 * 60_000) - 60_000 });
  return answer.url;
}

export { errorText };
