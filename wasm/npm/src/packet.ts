/** One packet as a tree of layers and fields, for the packet in hand. */
import { ready } from './runtime.js';
import type { PacketTree } from './types.js';

/**
 * The layers of one packet.
 *
 * @param linkType number of <https://www.tcpdump.org/linktypes.html>; 1 is Ethernet
 * @param originalLen octets on the wire, where the packet was cut
 */
export function dissect(octets: Uint8Array, linkType = 1, originalLen: number = octets.length): PacketTree {
  return JSON.parse(ready().dissect(octets, linkType, originalLen)) as PacketTree;
}
