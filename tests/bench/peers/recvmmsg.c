/* The least that a receiver on a UDP socket does: recvmmsg with 64 datagrams a call, and nothing with them. With the
   word `told` the kernel also tells who sent each and when it came, which nobody does without who decodes. Whoever writes an octet to its standard input is told how many datagrams there were. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_LEN = 9216, CONTROL_LEN = 128, BUFFER_LEN = 64 << 20 };

static char datagrams[BATCH][DATAGRAM_LEN];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];
static struct sockaddr_storage names[BATCH];
static char controls[BATCH][CONTROL_LEN];
static _Atomic uint64_t count;

static void *answer(void *unused) {
  char question;
  while (read(0, &question, 1) == 1) {
    uint64_t now = atomic_load(&count);
    if (write(1, &now, sizeof now) != sizeof now) break;
  }
  return unused;
}

/* The kernel writes the lengths of what it told over those of the room for it. */
static void make_room(int told) {
  for (int i = 0; i < BATCH; i++) {
    struct msghdr *header = &messages[i].msg_hdr;
    *header = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    if (!told) continue;
    header->msg_name = &names[i];
    header->msg_namelen = sizeof names[i];
    header->msg_control = controls[i];
    header->msg_controllen = CONTROL_LEN;
  }
}

int main(int argc, char **argv) {
  int told = argc == 2 && !strcmp(argv[1], "told"), yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t address_len = sizeof address;
  int buffer_len = BUFFER_LEN, received;
  pthread_t thread;
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  if (udp < 0 || bind(udp, (struct sockaddr *)&address, sizeof address)) {
    perror("recvmmsg: cannot bind");
    return 1;
  }
  if (setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_len, sizeof buffer_len))
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &buffer_len, sizeof buffer_len);
  if (told) setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  for (int i = 0; i < BATCH; i++) vectors[i] = (struct iovec){datagrams[i], DATAGRAM_LEN};
  /* The pages are ours before anything is measured. */
  memset(datagrams, 1, sizeof datagrams);
  getsockname(udp, (struct sockaddr *)&address, &address_len);
  if (pthread_create(&thread, NULL, answer, NULL)) return 1;
  fprintf(stderr, "receiving on UDP 127.0.0.1:%d\n", ntohs(address.sin_port));
  make_room(told);
  while ((received = recvmmsg(udp, messages, BATCH, MSG_WAITFORONE, NULL)) >= 0) {
    atomic_fetch_add_explicit(&count, received, memory_order_relaxed);
    if (told) make_room(told);
  }
  perror("recvmmsg");
  return 1;
}
