-- One row for each conversation, whoever saw which part of it: the view `conversations` of the other queries.
--
-- A load balancer may show the two directions of a flow, or its parts in time, to several agents; and a packet between
-- two mirrored machines is mirrored twice, perhaps to two agents, of which each counts it. So what was mirrored at the
-- sender, at the receiver, and between them is added up apart, over all agents and networks, and of the three the one
-- that showed most is taken. A record of packets of which one agent saw both copies is the sender's. Where an agent
-- begins to see the second copies in the middle of an interval, it may count that interval's packets for both.
-- Inline packets are no copies of mirrored ones, and count apart. A day counts by itself, so that ports that are used
-- again later do not meet.
WITH seen AS (
  SELECT
    year, month, day, CASE WHEN vni IS NULL THEN 'inline' ELSE 'mirrored' END AS kind,
    protocol, pkt_srcaddr AS src, srcport AS src_port, pkt_dstaddr AS dst, dstport AS dst_port,
    CASE
      WHEN flow_direction = 'egress' OR concat(sessions, ' ') LIKE concat('%/', pkt_srcaddr, ' %') THEN 'sender'
      WHEN flow_direction = 'ingress' OR concat(sessions, ' ') LIKE concat('%/', pkt_dstaddr, ' %') THEN 'receiver'
      ELSE 'between'
    END AS mirrored_at,
    sum(packets) AS packets, sum(bytes) AS bytes,
    sum(retransmissions) AS retransmissions, sum(mirror_loss) AS mirror_loss, sum(truncated) AS truncated,
    min(start_ns) AS first_ns, max(end_ns) AS last_ns, min(handshake_rtt_ns) AS rtt_ns,
    -- A SYN shows who opened the flow, a SYN-ACK who did not; without them agents go by the ports.
    sum(CASE WHEN tcp_flags >= 16 THEN -1000000 WHEN tcp_flags IN (2, 3, 6, 7) THEN 1000000
      WHEN protocol NOT IN (6, 17) THEN 0 WHEN initiator = 'src' THEN 1 ELSE -1 END) AS opened,
    max(coalesce(sni, http_host, dns_name)) AS name
  FROM flow_logs
  WHERE log_status = 'OK'
  GROUP BY
    year, month, day, CASE WHEN vni IS NULL THEN 'inline' ELSE 'mirrored' END,
    protocol, pkt_srcaddr, srcport, pkt_dstaddr, dstport,
    CASE
      WHEN flow_direction = 'egress' OR concat(sessions, ' ') LIKE concat('%/', pkt_srcaddr, ' %') THEN 'sender'
      WHEN flow_direction = 'ingress' OR concat(sessions, ' ') LIKE concat('%/', pkt_dstaddr, ' %') THEN 'receiver'
      ELSE 'between'
    END
),
directions AS (
  SELECT
    year, month, day, kind, protocol, src, src_port, dst, dst_port,
    max(packets) AS packets, max(bytes) AS bytes, max(retransmissions) AS retransmissions,
    -- What one mirror lost, another may have shown.
    min(mirror_loss) AS mirror_loss, min(truncated) AS truncated,
    min(first_ns) AS first_ns, max(last_ns) AS last_ns, min(rtt_ns) AS rtt_ns, sum(opened) AS opened,
    max(name) AS name
  FROM seen
  GROUP BY year, month, day, kind, protocol, src, src_port, dst, dst_port
),
-- Both directions under the lower of the two ends, of which `opened` tells how surely it opened the flow; where nothing
-- tells, it is the end that sent first.
pairs AS (
  SELECT
    year, month, day, kind, protocol, a, a_port, b, b_port, sum(opened) AS opened,
    sum(packets_a) AS packets_a, sum(bytes_a) AS bytes_a, sum(packets_b) AS packets_b, sum(bytes_b) AS bytes_b,
    sum(retransmissions) AS retransmissions, sum(mirror_loss) AS mirror_loss, sum(truncated) AS truncated,
    min(first_a) AS first_a, min(first_b) AS first_b,
    min(first_ns) AS first_ns, max(last_ns) AS last_ns, min(rtt_ns) AS rtt_ns, max(name) AS name
  FROM (
    SELECT
      year, month, day, kind, protocol, src AS a, src_port AS a_port, dst AS b, dst_port AS b_port, opened,
      first_ns AS first_a, CAST(NULL AS bigint) AS first_b,
      packets AS packets_a, bytes AS bytes_a, 0 AS packets_b, 0 AS bytes_b,
      retransmissions, mirror_loss, truncated, first_ns, last_ns, rtt_ns, name
    FROM directions
    WHERE src < dst OR (src = dst AND src_port <= dst_port)
    UNION ALL
    SELECT
      year, month, day, kind, protocol, dst, dst_port, src, src_port, -opened,
      CAST(NULL AS bigint), first_ns,
      0, 0, packets, bytes,
      retransmissions, mirror_loss, truncated, first_ns, last_ns, rtt_ns, name
    FROM directions
    WHERE NOT (src < dst OR (src = dst AND src_port <= dst_port))
  ) AS ends
  GROUP BY year, month, day, kind, protocol, a, a_port, b, b_port
)
SELECT
  year, month, day, kind, protocol,
  CASE WHEN a_is_client THEN a ELSE b END AS client,
  CASE WHEN a_is_client THEN a_port ELSE b_port END AS client_port,
  CASE WHEN a_is_client THEN b ELSE a END AS server,
  CASE WHEN a_is_client THEN b_port ELSE a_port END AS server_port,
  CASE WHEN a_is_client THEN packets_a ELSE packets_b END AS sent_packets,
  CASE WHEN a_is_client THEN bytes_a ELSE bytes_b END AS sent_bytes,
  CASE WHEN a_is_client THEN packets_b ELSE packets_a END AS received_packets,
  CASE WHEN a_is_client THEN bytes_b ELSE bytes_a END AS received_bytes,
  packets_a + packets_b AS packets, bytes_a + bytes_b AS bytes,
  retransmissions, mirror_loss, truncated, first_ns, last_ns, rtt_ns, name
FROM (
  SELECT *, opened > 0 OR (opened = 0 AND (first_b IS NULL OR first_a <= first_b)) AS a_is_client FROM pairs
) AS known
