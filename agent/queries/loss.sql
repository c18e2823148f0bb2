-- Where are the logs, or the mirrors, not complete?
--
-- Octets that receivers acknowledged and no session showed; packets that were cut; and times of which an agent says that it lost some.
SELECT
  agent_id, endpoint_id, vni, mirror_source,
  sum(mirror_loss) AS mirror_loss, sum(truncated) AS truncated, sum(packets) AS packets,
  sum(CASE WHEN log_status = 'SKIPDATA' THEN 1 ELSE 0 END) AS intervals_with_loss
FROM flow_logs
GROUP BY agent_id, endpoint_id, vni, mirror_source
HAVING sum(mirror_loss) > 0 OR sum(truncated) > 0 OR sum(CASE WHEN log_status = 'SKIPDATA' THEN 1 ELSE 0 END) > 0
ORDER BY sum(mirror_loss) DESC, sum(truncated) DESC, agent_id, endpoint_id, vni, mirror_source
LIMIT 1000
