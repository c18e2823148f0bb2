/** One packet as a tree of layers and fields, for the packet in hand. */
import { packetPart } from './packet-module.js';
import type { PacketTree } from './types.js';

/**
 * The layers of one packet. The first call loads the parts that tell of packets.
 *
 * @param linkType number of <https://www.tcpdump.org/linktypes.html>; 1 is Ethernet
 * @param originalLen octets on the wire, where the packet was cut
 */
export async function dissect(octets: Uint8Array, linkType = 1, originalLen: number = octets.length): Promise<PacketTree> {
  const bindings = await packetPart.load();
  return bindings.dissect(octets, linkType, originalLen) as PacketTree;
}
