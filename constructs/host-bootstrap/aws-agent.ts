import {
  configurationDirectory,
  type HostDescription,
  type HostFile,
  serviceUnit,
  serviceUser,
} from './description.ts'

const program = '/usr/local/sbin/gateway-aws'
const unitName = 'gateway-aws.service'

/** Lifecycle hooks that a node completes: once it is ready, and once it is drained. */
export const lifecycleHooks = { launch: 'ready', terminate: 'drained' } as const

/**
 * Follows what AWS says of this instance, in bash and curl alone, which sign requests with the role of the instance
 * (curl --aws-sigv4). GATEWAY_IMDS, GATEWAY_AWS_ENDPOINT, GATEWAY_AWS_PATHS and GATEWAY_STATUS point it elsewhere in
 * tests. Source: EC2 Auto Scaling User Guide, "Retrieve the target lifecycle state through instance metadata"; EC2 User
 * Guide, "Spot Instance interruption notices".
 */
const script = `#!/usr/bin/env bash
# gateway-aws fetch: takes over the configuration that the bucket names. gateway-aws follow: does so when it changes,
# tells the auto scaling group when this node is ready, and drains it before it leaves.
set -uo pipefail
export LC_ALL=C
imds=\${GATEWAY_IMDS:-http://169.254.169.254}
root=\${GATEWAY_AWS_PATHS:-}
folder=$root${configurationDirectory}
cache=$root/var/lib/gateway-aws
ready_url=\${GATEWAY_STATUS:-http://127.0.0.1:9090}/readyz
say() { printf 'gateway-aws: %s\\n' "$*" >&2; }
meta() { # PATH → what the instance metadata say there
  local token
  token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/latest/api/token") || return
  printf 'header = "X-aws-ec2-metadata-token: %s"\\n' "$token" | curl -sf -m 2 -K - "$imds/latest/meta-data/$1"
}
field() { sed -n 's/.*"'"$1"'" *: *"\\([^"]*\\)".*/\\1/p'; }
endpoint() { # SERVICE
  echo "\${GATEWAY_AWS_ENDPOINT:-https://$1.$region.amazonaws.com}"
}
signed() { # SERVICE CURL-ARGUMENT…; the credentials are on no command line
  local service=$1 role credentials
  shift
  role=$(meta iam/security-credentials/) && credentials=$(meta "iam/security-credentials/$role") || return
  {
    printf 'user = "%s:%s"\\n' "$(field AccessKeyId <<<"$credentials")" "$(field SecretAccessKey <<<"$credentials")"
    printf 'header = "x-amz-security-token: %s"\\n' "$(field Token <<<"$credentials")"
  } | curl -sf -m 20 -K - --aws-sigv4 "aws:amz:$region:$service" "$@"
}
object() { # KEY → its content
  signed s3 "\${GATEWAY_AWS_ENDPOINT:-https://$bucket.s3.$region.amazonaws.com}/$1"
}
call() { # SERVICE NAME=VALUE…
  local service=$1 host=$1 pair
  local arguments=()
  shift
  for pair; do arguments+=(--data-urlencode "$pair"); done
  signed "$service" "\${arguments[@]}" "$(endpoint "$host")/" >/dev/null
}
fetch() { # takes over the files of the manifest, all of them or none
  local manifest hash file new
  manifest=$(object "$manifest_key") || { say "s3://$bucket/$manifest_key cannot be read"; return 1; }
  [ "$manifest" != "$(cat "$cache/manifest" 2>/dev/null)" ] || return 0
  new=$(mktemp -d "$cache/new.XXXXXX")
  while read -r hash file; do
    [[ $hash =~ ^[0-9a-f]{64}$ && $file =~ ^[A-Za-z0-9][A-Za-z0-9._-]*\\.ya?ml$ ]] || { say 'the manifest is malformed'; rm -r "$new"; return 1; }
    object "files/$hash-$file" >"$new/$file" || { say "s3://$bucket/files/$hash-$file cannot be read"; rm -r "$new"; return 1; }
  done <<<"$manifest"
  (cd "$new" && sha256sum --check --strict --quiet <<<"$manifest" >&2) || { say 'a file is not what the manifest says'; rm -r "$new"; return 1; }
  if command -v gateway-cli >/dev/null && ! gateway-cli --config "$new" config validate >&2; then
    say 'the configuration is refused; the one in force stays'
    printf '%s\\n' "$manifest" >"$cache/manifest" # asked for once, not every few seconds
    rm -r "$new"
    return 1
  fi
  [ -n "$root" ] || chown ${serviceUser}:${serviceUser} "$new"/*
  chmod 0640 "$new"/*
  for file in "$folder"/*.yaml "$folder"/*.yml; do
    [ ! -e "$file" ] || [ -e "$new/\${file##*/}" ] || rm -- "$file"
  done
  mv -f "$new"/* "$folder/"
  rmdir "$new"
  printf '%s\\n' "$manifest" >"$cache/manifest"
  say "took over the configuration of s3://$bucket/$manifest_key"
}
complete() { # HOOK
  call autoscaling Action=CompleteLifecycleAction Version=2011-01-01 LifecycleActionResult=CONTINUE \\
    "LifecycleHookName=$1" "AutoScalingGroupName=$group" "InstanceId=$instance" && say "$1: told the group"
}
drain() { say "leaving: $1"; systemctl stop ${serviceUnit} || true; }
lifecycle() { # acts once on every new state
  local state
  state=$(meta autoscaling/target-lifecycle-state) || state=
  if [ -z "$leaving" ] && meta spot/instance-action >/dev/null; then leaving=spot; drain 'the spot instance is taken back'; fi
  [ "$state" != "$done_state" ] || return 0
  case $state in
    InService | Warmed:*) curl -sf -m 2 -o /dev/null "$ready_url" && complete ${lifecycleHooks.launch} && done_state=$state ;;
    Terminated) [ -n "$leaving" ] || { leaving=group; drain 'the group takes it out'; }; complete ${lifecycleHooks.terminate} && done_state=$state ;;
  esac
}
certificates() { # days until the first certificate ends
  local file end least= days
  for file in "$root"/etc/ssl/gateway.crt "$root"/var/lib/gateway/certificates/*.crt; do
    [ -r "$file" ] && end=$(openssl x509 -noout -enddate -in "$file" 2>/dev/null) || continue
    days=$((($(date -d "\${end#*=}" +%s) - $(date +%s)) / 86400))
    [ -n "$least" ] && [ "$least" -le "$days" ] || least=$days
  done
  [ -z "$least" ] || call monitoring Action=PutMetricData Version=2010-08-01 "Namespace=Gatehouse/$name" \\
    MetricData.member.1.MetricName=CertificateDaysLeft "MetricData.member.1.Value=$least"
}
region=$(meta placement/region) && instance=$(meta instance-id) && name=$(meta tags/instance/gateway-name) ||
  { say 'the instance metadata cannot be read: are tags in metadata switched on?'; exit 1; }
source_of=$(meta tags/instance/gateway-configuration) || source_of=
bucket=\${source_of%%/*} manifest_key=\${source_of#*/}
mkdir -p "$cache"
case \${1:-} in
  fetch) fetch ;;
  follow)
    group=$(meta tags/instance/aws:autoscaling:groupName) || group=
    leaving= done_state= turn=0
    while sleep "\${GATEWAY_AWS_INTERVAL:-5}"; do
      [ -z "$group" ] || lifecycle
      [ -z "$source_of" ] || [ $((turn % 2)) -ne 0 ] || fetch
      [ $((turn % 720)) -ne 1 ] || certificates || true
      turn=$((turn + 1))
    done ;;
  *) say 'expected fetch or follow'; exit 2 ;;
esac
`

const unit = `[Unit]
Description=Follows AWS: configuration, lifecycle and certificates of the API gateway
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${program} follow
Restart=always
RestartSec=5
UMask=0027
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${configurationDirectory}
StateDirectory=gateway-aws
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`

/** The agent of nodes on AWS; nothing elsewhere. */
export const awsFiles = ({ aws }: HostDescription): HostFile[] =>
  aws
    ? [
        { path: program, mode: '0755', owner: 'root:root', content: script },
        { path: `/etc/systemd/system/${unitName}`, mode: '0644', owner: 'root:root', content: unit },
      ]
    : []

/**
 * Bash that installs the agents of Session Manager and CloudWatch where they are missing, from the buckets that AWS
 * keeps them in, in every region. Without them the gateway serves all the same. Source: Systems Manager User Guide,
 * "Manually installing SSM Agent"; CloudWatch User Guide, "Download the CloudWatch agent package".
 */
const installAgents = `aws_agent() { # UNIT ADDRESS
  ! systemctl cat "$1" >/dev/null 2>&1 || return 0
  if curl -sf -m 120 -o /run/gateway-agent.deb "$2" && dpkg --install /run/gateway-agent.deb >/dev/null; then
    say "installed $1"
  else
    say "$1 could not be installed from $2; the gateway runs without it"
  fi
  rm -f /run/gateway-agent.deb
}
aws_meta() { # PATH
  curl -sf -m 5 -H "X-aws-ec2-metadata-token: $(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token || true)" "http://169.254.169.254/latest/meta-data/$1" || true
}
region=$(aws_meta placement/region) name=$(aws_meta tags/instance/gateway-name) architecture=$(dpkg --print-architecture)
aws_agent amazon-ssm-agent "https://s3.$region.amazonaws.com/amazon-ssm-$region/latest/debian_$architecture/amazon-ssm-agent.deb"
aws_agent amazon-cloudwatch-agent "https://amazoncloudwatch-agent-$region.s3.$region.amazonaws.com/debian/$architecture/latest/amazon-cloudwatch-agent.deb"
if [ -x /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl ]; then
  usermod --append --groups adm,${serviceUser} cwagent
  /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c "ssm:/gatehouse/$name/cloudwatch-agent" >/dev/null ||
    say 'the agent of CloudWatch did not start; logs stay on this node'
fi`

/** Bash that fetches the configuration before the service starts, and starts the agents. */
export const prepareAws = ({ aws }: HostDescription): string[] =>
  aws
    ? [
        `say 'AWS'
${installAgents}${aws.followConfiguration ? `\n${program} fetch || fail 'the configuration could not be fetched (see above)'` : ''}
systemctl daemon-reload
systemctl enable --now --quiet ${unitName}`,
      ]
    : []
