import type { ECharts } from './echarts';
import type { Look } from './look';

/** Offer a file to save. */
export function save(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

const SCALE = 2;
const HEAD = 44;

/** The picture of a chart under its title. */
export async function picture(chart: ECharts, title: string, look: Look): Promise<Blob> {
  const drawn = chart.renderToCanvas({ pixelRatio: SCALE, backgroundColor: look.ink.surface });
  const canvas = document.createElement('canvas');
  canvas.width = drawn.width;
  canvas.height = drawn.height + HEAD * SCALE;
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('this browser draws no pictures');
  context.fillStyle = look.ink.surface;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = look.ink.text;
  context.font = `600 ${15 * SCALE}px ${getComputedStyle(document.body).fontFamily}`;
  context.fillText(title, 12 * SCALE, 28 * SCALE, canvas.width - 24 * SCALE);
  context.drawImage(drawn, 0, HEAD * SCALE);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob === null ? reject(new Error('the picture is empty')) : resolve(blob)),
      'image/png',
    );
  });
}
