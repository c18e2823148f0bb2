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
		geneve   layers.Geneve
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
