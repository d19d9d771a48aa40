/** Files on a message. Their room is known before they come, so that nothing jumps. */

import type { Attachment, Message, Pending } from "@adda/client";
import { decode } from "blurhash";
import { useEffect, useRef, useState } from "react";

import { useAdda, useView } from "../context.js";
import { locale, t } from "../i18n/index.js";
import { size } from "../time.js";
import { Icon } from "./icons.js";

export function Attachments({ message }: { message: Message }) {
  return (
    <div className="files" data-count={message.attachments.length}>
      {message.attachments.map((file) => <File key={file.attachmentId} file={file} chatId={message.chatId} />)}
    </div>
  );
}

/** A URL of a message may be over: then another is asked for. */
function useFresh(file: Attachment, chatId: string): { file: Attachment; again(): void } {
  const adda = useAdda();
  const [fresh, setFresh] = useState<Attachment | null>(null);
  const tried = useRef(0);
  const again = (): void => {
    if (tried.current++ > 2) return;
    adda.attachment(file.attachmentId, chatId).then((got) => got && setFresh(got), () => {});
  };
  useEffect(() => {
    if (!file.url || (file.urlExpiresAt > 0 && file.urlExpiresAt < Date.now())) again();
  }, [file.url, file.urlExpiresAt]);
  return { file: fresh && fresh.urlExpiresAt >= file.urlExpiresAt ? fresh : file, again };
}

function File({ file: given, chatId }: { file: Attachment; chatId: string }) {
  const { file, again } = useFresh(given, chatId);
  const server = useServer();
  const url = at(server, file.url);
  if (file.contentType.startsWith("image/")) return <Image file={file} url={url} server={server} onGone={again} />;
  if (file.contentType.startsWith("audio/")) {
    return <audio controls preload="metadata" src={url} onError={again} aria-label={file.fileName} />;
  }
  if (file.contentType.startsWith("video/")) {
    return <video controls preload="metadata" src={url} onError={again} aria-label={file.fileName}
      width={file.width || 320} height={file.height || 180} />;
  }
  return (
    <a className="doc" href={url} download={file.fileName} rel="noopener noreferrer"
      aria-label={t("file.download", { name: file.fileName })}>
      <Icon name="file" />
      <span><bdi>{file.fileName}</bdi><small>{size(file.sizeBytes)}</small></span>
    </a>
  );
}

function useServer(): string {
  return useAdda().server;
}

/** From the root of the server, unless it is whole. Nothing but https and the server itself. */
function at(server: string, url: string): string {
  if (url.startsWith("https://")) return url;
  return url.startsWith("/") ? server + url : "";
}

/** At most so wide and high, as it stands in a conversation. */
const MOST = 320;

function Image({ file, url, server, onGone }: { file: Attachment; url: string; server: string; onGone(): void }) {
  const [loaded, setLoaded] = useState(false);
  const { width, height } = fit(file.width || 4, file.height || 3);
  const small = at(server, file.thumbnailUrl);
  return (
    <a className="image" href={url || undefined} target="_blank" rel="noopener noreferrer"
      style={{ aspectRatio: `${width} / ${height}`, width }} aria-label={t("file.open", { name: file.fileName })}>
      {file.blurhash && !loaded && <Blur hash={file.blurhash} />}
      {url && <img src={small || url} alt={t("file.image", { name: file.fileName })} width={width} height={height}
        loading="lazy" data-loaded={loaded} onLoad={() => setLoaded(true)} onError={onGone} />}
    </a>
  );
}

export function fit(width: number, height: number): { width: number; height: number } {
  const scale = MOST / Math.max(width, height);
  return { width: Math.max(80, Math.round(width * scale)), height: Math.max(60, Math.round(height * scale)) };
}

const BLUR = 32;

function Blur({ hash }: { hash: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const pen = canvas.current?.getContext("2d");
    if (!pen) return;
    try {
      const image = pen.createImageData(BLUR, BLUR);
      image.data.set(decode(hash, BLUR, BLUR));
      pen.putImageData(image, 0, 0);
    } catch {
      // A stand-in that cannot be read stands in for nothing.
    }
  }, [hash]);
  return <canvas ref={canvas} width={BLUR} height={BLUR} aria-hidden="true" />;
}

/** A URL for what is on this device, for as long as it is shown. */
function useLocal(blob: Blob): string {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

/** An image on this device: as large as it will be once it is sent. */
function LocalImage({ blob, name }: { blob: Blob; name: string }) {
  const url = useLocal(blob);
  const [box, setBox] = useState({ width: MOST, height: MOST * 0.75 });
  return (
    <span className="image" style={{ aspectRatio: `${box.width} / ${box.height}`, width: box.width }}>
      {url && <img src={url} alt={t("file.image", { name })} data-loaded="true"
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setBox(fit(naturalWidth, naturalHeight))} />}
    </span>
  );
}

/** A small view of a file that was chosen. */
export function Thumb({ file }: { file: globalThis.File }) {
  const url = useLocal(file);
  return file.type.startsWith("image/") && url ? <img className="thumb" src={url} alt="" /> : <Icon name="file" />;
}

/** Files on their way. */
export function PendingFiles({ row }: { row: Pending }) {
  const fraction = useView((state) => state.progress.get(row.clientMessageId) ?? 0);
  const percent = new Intl.NumberFormat(locale(), { style: "percent" }).format(fraction);
  return (
    <div className="files" data-count={row.files.length}>
      {row.files.map((file, i) => (file.type.startsWith("image/")
        ? <LocalImage key={i} blob={file.blob} name={file.name} />
        : (
          <span key={i} className="doc">
            <Icon name="file" /><span><bdi>{file.name}</bdi><small>{size(file.size)}</small></span>
          </span>
        )))}
      {row.failed === null && <progress value={fraction} max={1} aria-label={t("file.sending", { percent })} />}
    </div>
  );
}
