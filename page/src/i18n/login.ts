import { section } from './section'

export const login = section({
  zh: {
    title: '登录',
    authorization: '授权码',
    userid: '账号',
    password: '密码',
    paper: '内置柜台（模拟）',
    submit: '登录',
    refused: '账户 {id} 须重新登录：{reason}',
  },
  en: {
    title: 'Log in',
    authorization: 'Authorization code',
    userid: 'User',
    password: 'Password',
    paper: 'Built-in counter (paper)',
    submit: 'Log in',
    refused: 'Account {id} has to log in again: {reason}',
  },
})
