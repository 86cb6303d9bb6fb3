/**
 * Configuration of the CloudWatch agent: ships access.log and error.log, and measures memory and disks, which EC2 does
 * not see. Source: CloudWatch User Guide, "Manually create or edit the CloudWatch agent configuration file".
 */
export function agentConfiguration(options: { access: string; errors: string; namespace: string }): string {
  const file = (name: string, group: string) => ({
    file_path: `/var/log/gateway/${name}`,
    log_group_name: group,
    log_stream_name: '{instance_id}',
    timezone: 'UTC',
    retention_in_days: -1,
  })
  return JSON.stringify({
    agent: { metrics_collection_interval: 60, run_as_user: 'cwagent' },
    logs: {
      logs_collected: {
        files: { collect_list: [file('access.log', options.access), file('error.log', options.errors)] },
      },
      force_flush_interval: 5,
    },
    metrics: {
      namespace: options.namespace,
      append_dimensions: { AutoScalingGroupName: '$${aws:AutoScalingGroupName}' },
      aggregation_dimensions: [['AutoScalingGroupName']],
      metrics_collected: {
        mem: { measurement: ['mem_used_percent'] },
        disk: { measurement: ['used_percent'], resources: ['/', '/var/log/gateway'] },
      },
    },
  })
}
