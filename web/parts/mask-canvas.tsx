/** A picture with a brush that marks what is drawn anew; mouse, finger, pen, or arrow keys and space. */

import type { Ref } from 'preact';
import { useEffect, useImperativeHandle, useRef, useState } from 'preact/hooks';
import { RangeField, Segmented } from './fields';
import { Icon } from './icons';

export interface MaskHandle {
  /** White where it was painted, black elsewhere; null where nothing was. */
  mask(): Promise<Blob | null>;
}

/** Strokes that can be taken back. */
const UNDO = 30;

interface Point {
  x: number;
  y: number;
}

export function MaskCanvas({ image, handle }: { image: HTMLImageElement; handle: Ref<MaskHandle> }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [brush, setBrush] = useState(12);
  const [tool, setTool] = useState<'paint' | 'erase'>('paint');
  const [cursor, setCursor] = useState<Point | null>(null);
  const strokes = useRef<ImageData[]>([]);
  const [undoable, setUndoable] = useState(0);
  const last = useRef<Point | null>(null);
  const { naturalWidth: width, naturalHeight: height } = image;
  const context = () => canvas.current!.getContext('2d', { willReadFrequently: true })!;
  const radius = (Math.max(width, height) * brush) / 200;

  useEffect(() => {
    context().clearRect(0, 0, width, height);
    strokes.current = [];
    setUndoable(0);
  }, [image]);

  useImperativeHandle(handle, () => ({
    async mask() {
      const painted = context().getImageData(0, 0, width, height);
      let any = false;
      for (let i = 0; i < painted.data.length; i += 4) {
        const on = painted.data[i + 3] > 127;
        any ||= on;
        painted.data.fill(on ? 255 : 0, i, i + 3);
        painted.data[i + 3] = 255;
      }
      if (!any) return null;
      const out = new OffscreenCanvas(width, height);
      out.getContext('2d')!.putImageData(painted, 0, 0);
      return out.convertToBlob({ type: 'image/png' });
    },
  }));

  const remember = () => {
    strokes.current = [...strokes.current.slice(1 - UNDO), context().getImageData(0, 0, width, height)];
    setUndoable(strokes.current.length);
  };
  const undo = () => {
    const before = strokes.current.pop();
    if (before) context().putImageData(before, 0, 0);
    setUndoable(strokes.current.length);
  };
  const clear = () => {
    remember();
    context().clearRect(0, 0, width, height);
  };
  const paint = (from: Point, to: Point) => {
    const c = context();
    c.globalCompositeOperation = tool === 'paint' ? 'source-over' : 'destination-out';
    c.strokeStyle = '#ff3d81';
    c.lineWidth = radius * 2;
    c.lineCap = 'round';
    c.beginPath();
    c.moveTo(from.x, from.y);
    c.lineTo(to.x + 0.01, to.y);
    c.stroke();
  };
  const pointOf = (event: PointerEvent): Point => {
    const box = canvas.current!.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * width,
      y: ((event.clientY - box.top) / box.height) * height,
    };
  };
  const onKey = (event: KeyboardEvent) => {
    const at = cursor ?? { x: width / 2, y: height / 2 };
    const step = Math.max(1, radius / (event.shiftKey ? 4 : 1));
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const move = moves[event.key];
    if (move) {
      event.preventDefault();
      const clamp = (value: number, most: number) => Math.min(most, Math.max(0, value));
      setCursor({ x: clamp(at.x + move[0] * step, width), y: clamp(at.y + move[1] * step, height) });
    } else if (event.key === ' ' || event.key === 'Enter') {
      event.preventDefault();
      setCursor(at);
      remember();
      paint(at, at);
    } else if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      undo();
    }
  };

  return (
    <div class="mask">
      <div class="mask-picture" style={{ aspectRatio: `${width} / ${height}` }}>
        <img src={image.src} alt="To be filled in" draggable={false} />
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it is drawn on, by the keyboard too */}
        <canvas
          ref={canvas}
          width={width}
          height={height}
          tabIndex={0}
          role="application"
          aria-label="Mask: paint what is to be drawn anew. Arrow keys move the brush, space paints, Ctrl Z takes back."
          onKeyDown={onKey}
          onBlur={() => setCursor(null)}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            canvas.current!.setPointerCapture(event.pointerId);
            remember();
            last.current = pointOf(event);
            paint(last.current, last.current);
          }}
          onPointerMove={(event) => {
            const to = pointOf(event);
            setCursor(to);
            if (!last.current) return;
            paint(last.current, to);
            last.current = to;
          }}
          onPointerUp={() => {
            last.current = null;
          }}
          onPointerCancel={() => {
            last.current = null;
          }}
          onPointerLeave={() => setCursor(null)}
        />
        {cursor && (
          <span
            class="brush"
            aria-hidden="true"
            style={{
              left: `${(cursor.x / width) * 100}%`,
              top: `${(cursor.y / height) * 100}%`,
              width: `${((radius * 2) / width) * 100}%`,
            }}
          />
        )}
      </div>
      <div class="mask-tools">
        <Segmented
          label="Tool"
          value={tool}
          options={[
            { value: 'paint', label: 'Paint' },
            { value: 'erase', label: 'Erase' },
          ]}
          onChange={setTool}
        />
        <RangeField label="Brush" value={brush} min={2} max={60} onChange={(value) => setBrush(value ?? 12)} />
        <button type="button" class="quiet" disabled={undoable === 0} onClick={undo}>
          <Icon name="undo" /> Undo
        </button>
        <button type="button" class="quiet" onClick={clear}>
          <Icon name="trash" /> Clear mask
        </button>
      </div>
    </div>
  );
}
