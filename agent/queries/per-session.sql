-- What did each mirror session deliver, and through how many agents?
--
-- Copies count with the session that came first.
SELECT
  endpoint_id, vni, mirror_source, count(DISTINCT agent_id) AS agents,
  sum(packets) AS packets, sum(bytes) AS bytes, sum(duplicates) AS duplicates,
  sum(truncated) AS truncated, sum(mirror_loss) AS mirror_loss, min(start_ns) AS first_ns, max(end_ns) AS last_ns
FROM flow_logs
WHERE log_status = 'OK'
GROUP BY endpoint_id, vni, mirror_source
ORDER BY packets DESC, endpoint_id NULLS LAST, vni NULLS LAST, mirror_source NULLS LAST
LIMIT 1000
