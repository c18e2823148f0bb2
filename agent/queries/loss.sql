-- Where are the logs, or the mirrors, not complete?
--
-- Octets that receivers acknowledged and no session showed; packets that were cut; and times of which an agent says
-- that it lost some.
SELECT *
FROM (
  SELECT
    agent_id, endpoint_id, vni, mirror_source,
    sum(mirror_loss) AS mirror_loss, sum(truncated) AS truncated, sum(packets) AS packets,
    sum(CASE WHEN log_status = 'SKIPDATA' THEN 1 ELSE 0 END) AS intervals_with_loss
  FROM flow_logs
  GROUP BY agent_id, endpoint_id, vni, mirror_source
) AS sources
WHERE mirror_loss > 0 OR truncated > 0 OR intervals_with_loss > 0
ORDER BY
  mirror_loss DESC NULLS LAST, truncated DESC NULLS LAST, agent_id,
  endpoint_id NULLS LAST, vni NULLS LAST, mirror_source NULLS LAST
LIMIT 1000
