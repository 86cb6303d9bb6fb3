import { ElasticacheUser } from '@cdktf/provider-aws/lib/elasticache-user/index.js'
import { ElasticacheUserGroup } from '@cdktf/provider-aws/lib/elasticache-user-group/index.js'
import type { Construct } from 'constructs'
import { awsName } from './names.ts'

/**
 * The user that nodes connect as (with IAM, id and name must be one), and the default user, which Redis demands but
 * which is switched off. Source: ElastiCache User Guide, "Authenticating with IAM".
 */
export function createUsers(scope: Construct, name: string, engine: 'valkey' | 'redis') {
  const nodeName = awsName(40, name, 'node')
  const node = new ElasticacheUser(scope, 'node-user', {
    userId: nodeName,
    userName: nodeName,
    engine,
    accessString: 'on ~* &* +@all -@admin -@dangerous +cluster|slots +cluster|shards +cluster|nodes +info',
    authenticationMode: { type: 'iam' },
    tags: { Name: nodeName },
  })
  const nobody = new ElasticacheUser(scope, 'default-user', {
    userId: awsName(40, name, 'default'),
    userName: 'default',
    engine,
    accessString: 'off ~* -@all',
    authenticationMode: { type: 'no-password-required' },
    tags: { Name: awsName(40, name, 'default') },
  })
  const group = new ElasticacheUserGroup(scope, 'users', {
    userGroupId: awsName(40, name, 'users'),
    engine,
    userIds: [nobody.userId, node.userId],
    tags: { Name: awsName(40, name, 'users') },
  })
  return { node, group }
}
