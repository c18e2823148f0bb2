// Counts the packets whose mirrored IP header gopacket reaches, by the faster of its two ways: DecodingLayerParser,
// which fills layers that are allocated once.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// gopacket 1.1.19 has all of a DecodingLayer for Geneve but two words, and keeps the options of every packet.
type geneveLayer struct{ layers.Geneve }

func (g *geneveLayer) CanDecode() gopacket.LayerClass    { return layers.LayerTypeGeneve }
func (g *geneveLayer) NextLayerType() gopacket.LayerType { return g.Protocol.LayerType() }
func (g *geneveLayer) LayerPayload() []byte              { return g.Payload }
func (g *geneveLayer) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
	g.Options = g.Options[:0]
	return g.Geneve.DecodeFromBytes(data, df)
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	reader, err := pcapgo.NewReader(bufio.NewReaderSize(file, 256*1024))
	if err != nil {
		panic(err)
	}
	var (
		ethernet layers.Ethernet
		ipv4     layers.IPv4
		ipv6     layers.IPv6
		tcp      layers.TCP
		udp      layers.UDP
		icmp     layers.ICMPv4
		geneve   geneveLayer
		vxlan    layers.VXLAN
		payload  gopacket.Payload
	)
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet,
		&ethernet, &ipv4, &ipv6, &tcp, &udp, &icmp, &geneve, &vxlan, &payload)
	parser.IgnoreUnsupported = true
	decoded := make([]gopacket.LayerType, 0, 16)
	packets := 0
	for {
		data, _, err := reader.ZeroCopyReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		// Payloads that are no DNS or TLS are errors to gopacket; the layers before them are what is counted.
		_ = parser.DecodeLayers(data, &decoded)
		tunnels := 0
		for _, layer := range decoded {
			if layer == layers.LayerTypeIPv4 || layer == layers.LayerTypeIPv6 {
				tunnels++
			}
		}
		if tunnels == 3 {
			packets++
		}
	}
	fmt.Println(packets)
}
