/* The least that a program on libpcap does: count the packets of a capture. */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char **argv) {
  char error[PCAP_ERRBUF_SIZE];
  struct pcap_pkthdr *header;
  const u_char *data;
  unsigned long packets = 0;
  pcap_t *capture = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
  if (!capture) {
    fprintf(stderr, "usage: pcap_count FILE\n");
    return 1;
  }
  while (pcap_next_ex(capture, &header, &data) == 1) packets++;
  pcap_close(capture);
  printf("%lu\n", packets);
  return 0;
}
