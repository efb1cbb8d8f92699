/**
 * Draws a QR code, and returns it as a `data:` URL. The code is black on white in any color scheme, because not every scanner reads the
 * inverse.
 */
export async function drawQrCode(text: string): Promise<string> {
  // Loaded on first use, because few requests draw a code.
  const { renderSVG } = await import('uqr');
  // Scanners need four modules of border (ISO/IEC 18004). Without crisp edges, browsers draw thin lines between the modules.
  const svg = renderSVG(text, { ecc: 'M', border: 4, pixelSize: 1 }).replace('<svg', '$& shape-rendering="crispEdges"');
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}
