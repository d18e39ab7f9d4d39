/**
 * Draws the five "photos" of the demo: a wind-up robot in five scenes. Drawn, so that they are free of others'
 * rights; textured, so that they pass the same inspection as a user's photos. Run `node examples/toy/draw.ts` to draw
 * them again.
 */
import { join } from 'node:path';
import sharp from 'sharp';

const SIZE = 768;

interface Scene {
  readonly file: string;
  readonly sky: string;
  readonly ground: string;
  readonly grain: number;
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly tilt: number;
  readonly arm: number;
  readonly extra: string;
}

const SCENES: readonly Scene[] = [
  {
    file: 'shelf',
    sky: '#e8dcc6',
    ground: '#8a5a33',
    grain: 3,
    x: 384,
    y: 420,
    scale: 1,
    tilt: 0,
    arm: 20,
    extra:
      '<rect x="40" y="90" width="120" height="390" fill="#3d5a80"/><rect x="165" y="130" width="70" height="350" fill="#ee6c4d"/>',
  },
  {
    file: 'lawn',
    sky: '#a9d6e5',
    ground: '#4f772d',
    grain: 7,
    x: 300,
    y: 430,
    scale: 0.85,
    tilt: -8,
    arm: -35,
    extra: '<circle cx="640" cy="120" r="60" fill="#ffd166"/>',
  },
  {
    file: 'beach',
    sky: '#90e0ef',
    ground: '#e9c46a',
    grain: 11,
    x: 470,
    y: 450,
    scale: 0.78,
    tilt: 10,
    arm: 60,
    extra: '<rect y="380" width="768" height="60" fill="#0077b6"/>',
  },
  {
    file: 'carpet',
    sky: '#6d597a',
    ground: '#b56576',
    grain: 17,
    x: 384,
    y: 400,
    scale: 1.12,
    tilt: 5,
    arm: 0,
    extra: '<path d="M0 560h768M0 640h768M0 720h768" stroke="#eaac8b" stroke-width="18"/>',
  },
  {
    file: 'street',
    sky: '#adb5bd',
    ground: '#495057',
    grain: 23,
    x: 340,
    y: 440,
    scale: 0.9,
    tilt: -4,
    arm: 100,
    extra:
      '<rect x="470" y="60" width="230" height="430" fill="#9d4b3c"/><path d="M470 160h230M470 260h230M470 360h230M585 60v430" stroke="#c98a7c" stroke-width="8"/>',
  },
];

/** The subject, the same in each scene: a teal body with an orange star, and one red and one yellow lamp. */
function robot({ arm }: Scene): string {
  const star = '0,-34 10,-11 34,-11 15,5 22,30 0,15 -22,30 -15,5 -34,-11 -10,-11';
  return `
    <rect x="-70" y="130" width="48" height="90" rx="10" fill="#22577a"/><rect x="22" y="130" width="48" height="90" rx="10" fill="#22577a"/>
    <rect x="-84" y="205" width="70" height="30" rx="12" fill="#f4a261"/><rect x="14" y="205" width="70" height="30" rx="12" fill="#f4a261"/>
    <rect x="-110" y="-50" width="220" height="190" rx="26" fill="#2a9d8f" stroke="#14504a" stroke-width="8"/>
    <polygon points="${star}" transform="translate(0 45) scale(1.5)" fill="#f77f00" stroke="#7f4f00" stroke-width="4"/>
    <g transform="translate(-112 -20) rotate(${arm})"><rect x="-22" y="0" width="40" height="130" rx="18" fill="#e9edc9" stroke="#14504a" stroke-width="6"/><circle cx="-2" cy="136" r="26" fill="#f4a261"/></g>
    <g transform="translate(112 -20) rotate(${-arm / 2})"><rect x="-18" y="0" width="40" height="130" rx="18" fill="#e9edc9" stroke="#14504a" stroke-width="6"/><circle cx="2" cy="136" r="26" fill="#f4a261"/></g>
    <rect x="-80" y="-190" width="160" height="130" rx="22" fill="#e9edc9" stroke="#14504a" stroke-width="8"/>
    <circle cx="-34" cy="-128" r="22" fill="#d00000" stroke="#370617" stroke-width="6"/><circle cx="34" cy="-128" r="22" fill="#ffd60a" stroke="#370617" stroke-width="6"/>
    <path d="M-40 -86h80" stroke="#14504a" stroke-width="10" stroke-dasharray="12 6"/>
    <path d="M0 -190v-44" stroke="#14504a" stroke-width="10"/><circle cx="0" cy="-246" r="16" fill="#d00000"/>`;
}

function svg(scene: Scene): string {
  const { sky, ground, grain, x, y, scale, tilt, extra } = scene;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}" viewBox="0 0 ${SIZE} ${SIZE}">
    <defs><filter id="grain"><feTurbulence type="fractalNoise" baseFrequency="0.9" numOctaves="2" seed="${grain}"/>
      <feColorMatrix values="0 0 0 0 0.5  0 0 0 0 0.5  0 0 0 0 0.5  0.9 0 0 0 -0.25"/></filter></defs>
    <rect width="${SIZE}" height="${SIZE}" fill="${sky}"/>${extra}
    <rect y="490" width="${SIZE}" height="${SIZE - 490}" fill="${ground}" opacity="0.97"/>
    <ellipse cx="${x}" cy="${y + 235 * scale}" rx="${130 * scale}" ry="${22 * scale}" fill="#000" opacity="0.35"/>
    <g transform="translate(${x} ${y}) rotate(${tilt}) scale(${scale})">${robot(scene)}</g>
    <rect width="${SIZE}" height="${SIZE}" filter="url(#grain)" opacity="0.35"/>
  </svg>`;
}

for (const scene of SCENES) {
  const file = join(import.meta.dirname, 'photos', `${scene.file}.jpg`);
  await sharp(Buffer.from(svg(scene)))
    .jpeg({ quality: 82, mozjpeg: true })
    .toFile(file);
}
