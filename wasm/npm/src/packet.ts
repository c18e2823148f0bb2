/** One packet as a tree of layers and fields, for the packet in hand. */
import { captureModule } from './capture-module.js';
import type { PacketTree } from './types.js';

/**
 * The layers of one packet. The first call loads the module with the index, as `Capture` does.
 *
 * @param linkType number of <https://www.tcpdump.org/linktypes.html>; 1 is Ethernet
 * @param originalLen octets on the wire, where the packet was cut
 */
export async function dissect(octets: Uint8Array, linkType = 1, originalLen: number = octets.length): Promise<PacketTree> {
  const { bindings } = await captureModule();
  return bindings.dissect(octets, linkType, originalLen) as PacketTree;
}
